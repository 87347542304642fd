/** A kernel for the virtual machine: Debian's, unpacked into a cache directory, never installed. */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { vmKernelPackage } from './packages.ts';
import { which } from './tools.ts';
import { VmUnavailable } from './unavailable.ts';

export interface Kernel {
  /** What `uname -r` will say in the guest. */
  release: string;
  image: string;
  /** The directory to be found at /lib/modules/RELEASE, with `modules.dep`. */
  modules: string;
}

const REPOSITORY = dirname(dirname(import.meta.dirname));
export const VM_CACHE = join(REPOSITORY, '.build', 'vm');

function run(command: string, args: string[], cwd?: string): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 });
}

function kernelIn(directory: string): Kernel | undefined {
  const modules = join(directory, 'lib', 'modules');
  const release = existsSync(modules) ? readdirSync(modules)[0] : undefined;
  if (release === undefined) return undefined;
  return { release, image: join(directory, 'boot', `vmlinuz-${release}`), modules: join(modules, release) };
}

/** The package that the metapackage stands for today, e.g. `linux-image-6.1.0-56-cloud-amd64`. */
function concretePackage(): string {
  const name = vmKernelPackage.name;
  const relations = run('apt-cache', ['depends', name]);
  const concrete = /^\s*Depends: (linux-image-\S+)/m.exec(relations)?.[1];
  if (concrete === undefined) {
    throw new VmUnavailable(
      `apt knows no package ${name}: run apt-get update first (the machine needs Debian's archive).`,
    );
  }
  return concrete;
}

function unpack(debian: string, directory: string, busybox: string): Kernel {
  run('dpkg-deb', ['-x', debian, directory]);
  const kernel = kernelIn(directory);
  if (kernel === undefined) throw new VmUnavailable(`${debian} holds no kernel modules.`);
  const compressed = run('find', [kernel.modules, '-name', '*.ko.xz']).split('\n').filter(Boolean);
  if (compressed.length > 0) run('xz', ['-d', ...compressed]);
  // The package leaves the dependencies of its modules to be computed where it is installed.
  run(busybox, ['depmod', '-b', directory, kernel.release]);
  return kernel;
}

/**
 * The kernel of the cache, or else fetched into it once (27 MB; 110 MB unpacked).
 * @throws VmUnavailable when apt is missing, does not know the package or cannot fetch it.
 */
export function obtainKernel(busybox: string, cache: string = VM_CACHE): Kernel {
  const ready = join(cache, 'kernel');
  const cached = kernelIn(ready);
  if (cached !== undefined) return cached;
  if (which('apt-get') === undefined || which('dpkg-deb') === undefined) {
    throw new VmUnavailable(
      `The kernel comes from Debian's package ${vmKernelPackage.name}, and there is no apt here.`,
    );
  }
  mkdirSync(cache, { recursive: true });
  const making = mkdtempSync(join(cache, 'making-'));
  try {
    // As root apt would fetch as the user _apt, who cannot write here.
    run('apt-get', ['-o', 'APT::Sandbox::User=root', 'download', concretePackage()], making);
    const debian = readdirSync(making).find((name) => name.endsWith('.deb'))!;
    unpack(join(making, debian), join(making, 'kernel'), busybox);
    // The first one wins: two processes may have fetched it at the same time.
    if (!existsSync(ready)) renameSync(join(making, 'kernel'), ready);
  } catch (error) {
    if (error instanceof VmUnavailable) throw error;
    const detail = error instanceof Error ? error.message : String(error);
    throw new VmUnavailable(`The package ${vmKernelPackage.name} could not be fetched: ${detail.trim()}`);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  return kernelIn(ready)!;
}
