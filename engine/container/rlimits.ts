import fs from 'node:fs';
import type { Rlimit } from '../runtime/spec.ts';
import type { Ulimit } from './config.ts';
import { ContainerError } from './errors.ts';

/** RLIM_INFINITY as the specification writes it; a double holds it only roughly, so it is kept as this. */
const UNLIMITED = Number.MAX_SAFE_INTEGER;

/** The names of `--ulimit` and how /proc/PID/limits calls them. */
const NAMES: Record<string, string> = {
  core: 'Max core file size',
  cpu: 'Max cpu time',
  data: 'Max data size',
  fsize: 'Max file size',
  locks: 'Max file locks',
  memlock: 'Max locked memory',
  msgqueue: 'Max msgqueue size',
  nice: 'Max nice priority',
  nofile: 'Max open files',
  nproc: 'Max processes',
  rss: 'Max resident set',
  rtprio: 'Max realtime priority',
  rttime: 'Max realtime timeout',
  sigpending: 'Max pending signals',
  stack: 'Max stack size',
};

/** Docker's default, which few hosts allow less than. */
const NOFILE = 1_048_576;

/** The hard limits in `limits`, the text of /proc/PID/limits, by the names of `--ulimit`. */
export function hardLimits(limits: string): Record<string, number> {
  return Object.fromEntries(
    Object.entries(NAMES).map(([name, title]) => {
      const hard = new RegExp(`^${title}\\s+\\S+\\s+(\\S+)`, 'm').exec(limits)?.[1] ?? 'unlimited';
      return [name, hard === 'unlimited' ? UNLIMITED : Number(hard)];
    }),
  );
}

let own: Record<string, number> | undefined;

/** Those of this process, which nothing changes while it lives. */
function hostLimits(): Record<string, number> {
  own ??= hardLimits(fs.readFileSync('/proc/self/limits', 'utf8'));
  return own;
}

/**
 * The limits of a container's processes. −1 is unlimited.
 * @param canRaise whether the engine has CAP_SYS_RESOURCE, without which no limit can go above the host's own.
 * @throws ContainerError `invalid` for an unknown name, soft above hard, or more than the host allows.
 */
export function containerLimits(ulimits: Ulimit[], canRaise: boolean, host = hostLimits()): Rlimit[] {
  const limits = new Map<string, Rlimit>();
  const nofile = host.nofile ?? UNLIMITED;
  const files = Math.min(NOFILE, nofile);
  limits.set('nofile', { type: 'RLIMIT_NOFILE', soft: files, hard: files });
  for (const { Name: name, Soft, Hard } of ulimits) {
    const soft = Soft < 0 ? UNLIMITED : Soft;
    const hard = Hard < 0 ? UNLIMITED : Hard;
    const most = host[name];
    if (most === undefined)
      throw new ContainerError(
        'invalid',
        `invalid ulimit type: ${name.slice(0, 60)}. There are ${Object.keys(NAMES).join(', ')}.`,
      );
    if (soft > hard)
      throw new ContainerError('invalid', `ulimit ${name}: the soft limit must not be above the hard limit.`);
    if (hard > most && !canRaise)
      throw new ContainerError('invalid', `ulimit ${name}: this host allows at most ${most}. Ask for that or less.`);
    limits.set(name, { type: `RLIMIT_${name.toUpperCase()}`, soft, hard });
  }
  return [...limits.values()];
}
