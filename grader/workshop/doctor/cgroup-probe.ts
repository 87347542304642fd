/** Whether limits can be written: done in a cgroup of our own, which is gone afterwards. cgroups(7). */

import fs from 'node:fs';
import path from 'node:path';
import type { Finding } from './finding.ts';

const ROOT = '/sys/fs/cgroup';
const CONTROLLERS = ['memory', 'cpu', 'pids'] as const;

/** The file that takes a limit, and one that is always allowed. */
const LIMITS = {
  v1: { memory: ['memory.limit_in_bytes', '67108864'], cpu: ['cpu.cfs_quota_us', '50000'], pids: ['pids.max', '64'] },
  v2: { memory: ['memory.max', '67108864'], cpu: ['cpu.max', '50000 100000'], pids: ['pids.max', '64'] },
} as const;

export function probeCgroups(): Finding {
  const finding = { id: 'cgroup-limits', title: 'limits in a cgroup of our own' };
  if (!fs.existsSync(ROOT)) {
    return {
      ...finding,
      status: 'missing',
      detail: `nothing is mounted on ${ROOT}`,
      fix: 'mount -t cgroup2 none /sys/fs/cgroup',
    };
  }
  const version = fs.existsSync(path.join(ROOT, 'cgroup.controllers')) ? 'v2' : 'v1';
  const refused = CONTROLLERS.map((controller) => [controller, refusal(version, controller)] as const).filter(
    ([, why]) => why !== null,
  );
  if (refused.length === 0) return { ...finding, status: 'ok', detail: `cgroup ${version}: ${CONTROLLERS.join(', ')}` };
  return {
    ...finding,
    status: 'missing',
    detail: `cgroup ${version}: ${refused.map(([controller, why]) => `${controller} (${why})`).join(', ')}`,
    fix: fixFor(version),
  };
}

/** null when the limit could be written. */
function refusal(version: 'v1' | 'v2', controller: (typeof CONTROLLERS)[number]): string | null {
  const parent = parentOf(version, controller);
  if (parent === null) return 'this process is in no cgroup of it';
  const own = path.join(parent, `skiff-doctor-${process.pid}`);
  try {
    fs.mkdirSync(own);
  } catch (error) {
    return reason(error);
  }
  try {
    const [file, value] = LIMITS[version][controller];
    if (version === 'v2' && !fs.existsSync(path.join(own, file))) return delegated(parent, controller);
    fs.writeFileSync(path.join(own, file), value);
    return null;
  } catch (error) {
    return reason(error);
  } finally {
    fs.rmdirSync(own);
  }
}

/** The engine switches a controller on where the kernel offers it; asking for that here would change the host. */
function delegated(parent: string, controller: string): string | null {
  const offered = fs.readFileSync(path.join(parent, 'cgroup.controllers'), 'utf8').trim().split(/\s+/);
  if (!offered.includes(controller)) return 'not offered here';
  try {
    fs.accessSync(path.join(parent, 'cgroup.subtree_control'), fs.constants.W_OK);
    return null;
  } catch (error) {
    return reason(error);
  }
}

/** Root makes cgroups at the top of the tree; anyone else where the host has delegated one to them. */
function parentOf(version: 'v1' | 'v2', controller: string): string | null {
  if (process.getuid?.() === 0) return version === 'v2' ? ROOT : path.join(ROOT, controller);
  const lines = fs.readFileSync('/proc/self/cgroup', 'utf8').trim().split('\n');
  for (const line of lines) {
    const [, controllers = '', ...rest] = line.split(':');
    const below = rest.join(':');
    if (version === 'v2' && controllers === '') return path.join(ROOT, path.dirname(below));
    if (version === 'v1' && controllers.split(',').includes(controller)) return path.join(ROOT, controller, below);
  }
  return null;
}

function fixFor(version: 'v1' | 'v2'): string {
  if (process.getuid?.() === 0) {
    // What such a container lacks is the tree itself.
    return hasEveryCapability()
      ? 'Bind the host’s tree into this container: -v /sys/fs/cgroup:/sys/fs/cgroup, with --cgroupns=host.'
      : 'Run on the host itself, or in a container that was started with --privileged --cgroupns=host.';
  }
  return version === 'v2'
    ? 'Use root (sudo ./workshop …), or a delegated cgroup: systemd-run --user --scope -p Delegate=yes ./workshop'
    : 'Use root: sudo ./workshop …';
}

/** CAP_SYS_ADMIN and CAP_NET_ADMIN stand for the others: a container has them only if it is privileged. */
function hasEveryCapability(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  const [CAP_NET_ADMIN, CAP_SYS_ADMIN] = [12n, 21n];
  const set = BigInt(`0x${effective}`);
  return ((set >> CAP_NET_ADMIN) & (set >> CAP_SYS_ADMIN) & 1n) === 1n;
}

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}
