/** The guest's first root: busybox, the modules that reach the host's files, two scripts and the command. */

import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type CpioEntry, cpio, directory, file } from './cpio.ts';
import type { Kernel } from './kernel.ts';

export interface GuestCommand {
  /** For /bin/sh. */
  command: string;
  /** Absolute. */
  cwd: string;
  env: Record<string, string>;
}

/** What the guest needs before it can see any file of the host. ext4 is built into Debian's kernel. */
const FIRST_MODULES = ['virtio_pci', 'virtio_console', 'virtio_blk', 'virtiofs', 'overlay'];

/** `modules.dep` as a map from a module's path to the paths of those it needs. modules.dep(5). */
function dependencies(kernel: Kernel): Map<string, string[]> {
  const lines = readFileSync(join(kernel.modules, 'modules.dep'), 'utf8').split('\n').filter(Boolean);
  return new Map(
    lines.map((line) => {
      const [module, needs] = line.split(':') as [string, string];
      return [module, needs.split(' ').filter(Boolean)];
    }),
  );
}

/** Paths below `kernel.modules`, each after everything it needs. Modules that are built in are left out. */
export function loadOrder(kernel: Kernel, names: string[]): string[] {
  const needs = dependencies(kernel);
  const order: string[] = [];
  const visit = (module: string): void => {
    if (order.includes(module)) return;
    needs.get(module)?.forEach(visit);
    order.push(module);
  };
  for (const name of names) {
    const module = [...needs.keys()].find((path) => basename(path, '.ko') === name);
    if (module !== undefined) visit(module);
  }
  return order;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function commandScript({ command, cwd, env }: GuestCommand): string {
  const exports = Object.entries(env).map(([name, value]) => `export ${name}=${quoted(value)}`);
  return [...exports, `cd ${quoted(cwd)} || exit 125`, command, ''].join('\n');
}

/** The archive to be given to the kernel as its initial RAM file system. */
export function initramfs(kernel: Kernel, busybox: string, command: GuestCommand): Buffer {
  const modules = loadOrder(kernel, FIRST_MODULES);
  const script = (name: string): Buffer => readFileSync(join(import.meta.dirname, 'guest', name));
  const entries: CpioEntry[] = [
    ...['bin', 'dev', 'proc', 'sys', 'host', 'scratch', 'root', 'modules', 'stage2'].map(directory),
    file('bin/busybox', readFileSync(busybox), 0o755),
    file('init', script('init.sh'), 0o755),
    file('stage2/run.sh', script('run.sh'), 0o755),
    file('stage2/command.sh', commandScript(command)),
    file('stage2/directory', command.cwd),
    file('stage2/kernel-modules', kernel.modules),
    file('modules/order', `${modules.map((path) => basename(path)).join('\n')}\n`),
    ...modules.map((path) => file(`modules/${basename(path)}`, readFileSync(join(kernel.modules, path)))),
  ];
  return cpio(entries);
}
