/**
 * How the check calls your plank: in a child that is about to become its program, as the engine does. The child stops
 * on its way, and the judge reads in /proc what the kernel says of it at each stop.
 */

import type { FilterEntry, SeccompFilter } from '#contract/privileges';
import { encode, type Instruction } from '#kernel/classic-bpf';
import * as credentials from '#kernel/credentials';
import { close, O_RDWR, open, pipe, read, readAll, write } from '#kernel/descriptors';
import { setSeccompFilter } from '#kernel/seccomp';
import * as plank from '#privileges';
import { spawn } from '#process';
import type { Capabilities } from '#spec';
import { atOnce } from '../../grader/harness/at-once.ts';

/** Where a child can stop: in the two functions that `confine` is given, and right before the exec. */
export type Stop = 'changeUser' | 'beforeFilter' | 'exec';

export interface StartRequest {
  args: string[];
  env: string[];
  /** What the child does before its exec, in this order. */
  steps: Step[];
  stops: Stop[];
}

export type Step =
  | { do: 'dropBoundingSet'; keep: string[] }
  | { do: 'setCapabilitySets'; capabilities: Capabilities; untilExec?: string[] }
  | { do: 'confine'; confinement: ConfineRequest }
  /** Without your confine: no_new_privs, and the filter that your assembleFilter makes. */
  | { do: 'filter'; entries: FilterEntry[]; foreign: number }
  /** Without any of your functions: the sets that the next step begins with. */
  | { do: 'begin with'; permitted: bigint; effective: bigint; inheritable: bigint };

export interface ConfineRequest {
  capabilities: Capabilities;
  noNewPrivileges: boolean;
  filter: { program: Uint8Array; flags: number } | null;
  /** `groups` is null where setgroups(2) is denied: in a user namespace of an ordinary user without subordinate ids. */
  user: { uid: number; gid: number; groups: number[] | null };
  /** The message that one of the functions is to throw. */
  failure?: { in: 'changeUser' | 'beforeFilter'; message: string };
}

interface Child {
  pid: number;
  report: number;
  /** Where the child says at which stop it is. */
  stopped: number;
  go: number;
}

let current: Child | undefined;

/**
 * Fork a child that takes the steps.
 * @returns its pid, as the subject sees it, and where it stops first: `program` when it has become its program. Throws
 *   what went wrong in it.
 */
export function start({ args, env, steps, stops }: StartRequest): { pid: number; at: string } {
  const [stopped, go] = [pipe(), pipe()];
  const devNull = open('/dev/null', O_RDWR);
  const stop = (place: Stop) => {
    if (!stops.includes(place)) return;
    write(stopped.write, place[0]!);
    read(go.read, 1);
  };
  const prepare = () => {
    close(stopped.read);
    close(go.write);
    for (const step of steps) take(step, stop);
    stop('exec');
  };
  const child = spawn({ args, env, cwd: '/', stdio: [devNull, devNull, devNull] }, { cloneFlags: 0n, prepare });
  for (const fd of [devNull, stopped.write, go.read]) close(fd);
  current = { pid: child.pid, report: child.report, stopped: stopped.read, go: go.write };
  return { pid: child.pid, at: nextStop(current) };
}

/** Let the child go on. @returns where it stops next; `program` when it has become its program. */
export function goOn(): string {
  if (!current) throw new Error('No child is on its way.');
  write(current.go, '.');
  return nextStop(current);
}

function nextStop({ report, stopped, go }: Child): string {
  const letter = read(stopped, 1)?.toString();
  if (letter) return { c: 'changeUser', b: 'beforeFilter', e: 'exec' }[letter] ?? letter;
  current = undefined;
  const failure = readAll(report);
  for (const fd of [report, stopped, go]) close(fd);
  if (failure) throw new Error(`the child failed: ${(JSON.parse(failure) as { message: string }).message}`);
  return 'program';
}

function take(step: Step, stop: (place: Stop) => void): void {
  if (step.do === 'dropBoundingSet') atOnce('dropBoundingSet', plank.dropBoundingSet(step.keep));
  else if (step.do === 'setCapabilitySets')
    atOnce('setCapabilitySets', plank.setCapabilitySets(step.capabilities, step.untilExec));
  else if (step.do === 'confine') confineAs(step.confinement, stop);
  else if (step.do === 'begin with') credentials.setCapabilities(step);
  else {
    credentials.prctl(credentials.PR_SET_NO_NEW_PRIVS, 1);
    setSeccompFilter(encode(instructions(step)), 0);
  }
}

function confineAs(request: ConfineRequest, stop: (place: Stop) => void): void {
  const { capabilities, noNewPrivileges, filter, user, failure } = request;
  const failIn = (place: string) => {
    if (failure?.in === place) throw new Error(failure.message);
  };
  const done = plank.confine({
    capabilities,
    noNewPrivileges,
    filter: filter && ({ program: Buffer.from(filter.program), flags: filter.flags } satisfies SeccompFilter),
    changeUser: () => {
      stop('changeUser');
      failIn('changeUser');
      if (user.groups !== null) credentials.setGroups(user.groups);
      credentials.setGid(user.gid);
      credentials.setUid(user.uid);
    },
    beforeFilter: () => {
      stop('beforeFilter');
      failIn('beforeFilter');
      // As the engine does: the change of user has made the kernel forget it.
      credentials.prctl(credentials.PR_SET_PDEATHSIG, 9);
    },
  });
  atOnce('confine', done);
}

/** The program of a filter, for the judge to run in its own copy of the kernel's little machine. */
export function instructions({ entries, foreign }: { entries: FilterEntry[]; foreign: number }): Instruction[] {
  return atOnce('assembleFilter', plank.assembleFilter(entries, foreign));
}

export function capabilityMask(names: string[]): bigint {
  return atOnce('capabilityMask', plank.capabilityMask(names));
}

export function readCapabilities(status: string): unknown {
  return atOnce('readCapabilities', plank.readCapabilities(status));
}
