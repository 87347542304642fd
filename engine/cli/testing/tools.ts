import { spawnSync } from 'node:child_process';

/** Whether a program is there to compare with. */
export function has(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' }).status === 0;
}

/** Whether containers can be run here at all: the engine's own tests say why not. */
export const canRunContainers = process.platform === 'linux' && process.getuid?.() === 0;
