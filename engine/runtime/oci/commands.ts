import type { Command } from './settings.ts';

interface Entry {
  summary: string;
  load: () => Promise<{ command: Command }>;
}

/** runtime.md, "Operations", and what callers of runc use besides. */
export const commands: Record<string, Entry> = {
  create: { summary: 'make a container of a bundle', load: () => import('./commands/create.ts') },
  start: { summary: 'let a created container run its program', load: () => import('./commands/start.ts') },
  run: { summary: 'create, start, wait and delete', load: () => import('./commands/run.ts') },
  state: { summary: 'print what a container is up to', load: () => import('./commands/state.ts') },
  kill: { summary: 'send a signal to a container', load: () => import('./commands/kill.ts') },
  delete: { summary: 'remove what is kept of a container', load: () => import('./commands/delete.ts') },
  exec: { summary: 'run another program in a container', load: () => import('./commands/exec.ts') },
  ps: { summary: 'list the processes of a container', load: () => import('./commands/ps.ts') },
  list: { summary: 'list the containers', load: () => import('./commands/list.ts') },
  pause: { summary: 'stop every process of a container where it stands', load: () => import('./commands/pause.ts') },
  resume: { summary: 'let a paused container go on', load: () => import('./commands/resume.ts') },
  update: { summary: 'give a running container new limits', load: () => import('./commands/update.ts') },
  events: { summary: 'print what a container uses, again and again', load: () => import('./commands/events.ts') },
  features: { summary: 'print what this runtime can do', load: () => import('./commands/features.ts') },
  spec: { summary: 'write a config.json to begin with', load: () => import('./commands/spec.ts') },
};

export function describeCommands(): string {
  const lines = Object.entries(commands).map(([name, { summary }]) => `   ${name.padEnd(10)} ${summary}`);
  return `skiff-runtime [--root DIR] [--log FILE] [--log-format text|json] [--debug] COMMAND [OPTIONS] CONTAINER\n\n${lines.join('\n')}\n`;
}
