/**
 * How the check calls your plank: in a child that is about to become its program, as the engine does. The child stops
 * before its exec, and the judge reads in /proc what the kernel says of it.
 */

import type { FilterEntry, SeccompFilter } from '#contract/privileges';
import { encode, type Instruction } from '#kernel/classic-bpf';
import * as credentials from '#kernel/credentials';
import { close, O_RDWR, open, pipe, read, readAll, write } from '#kernel/descriptors';
import { setSeccompFilter } from '#kernel/seccomp';
import { assembleFilter, confine, dropBoundingSet, setCapabilitySets } from '#privileges';
import { spawn } from '#process';
import type { Capabilities } from '#spec';

export interface StartRequest {
  args: string[];
  env: string[];
  /** What the child does before its exec, in this order. */
  steps: Step[];
}

export type Step =
  | { do: 'dropBoundingSet'; keep: string[] }
  | { do: 'setCapabilitySets'; capabilities: Capabilities; untilExec?: string[] }
  | { do: 'confine'; confinement: ConfineRequest }
  /** Without your confine: no_new_privs, and the filter that your assembleFilter makes. */
  | { do: 'filter'; entries: FilterEntry[]; foreign: number };

export interface ConfineRequest {
  capabilities: Capabilities;
  noNewPrivileges: boolean;
  filter: { program: Uint8Array; flags: number } | null;
  user: { uid: number; gid: number; groups: number[] };
}

interface Pending {
  go: number;
  report: number;
}

let pending: Pending | undefined;

/** Fork a child that takes the steps, and stops. @returns its pid, as the subject sees it. Throws what went wrong in it. */
export function start({ args, env, steps }: StartRequest): number {
  const [stopped, go] = [pipe(), pipe()];
  const devNull = open('/dev/null', O_RDWR);
  const prepare = () => {
    close(stopped.read);
    close(go.write);
    for (const step of steps) take(step);
    write(stopped.write, '.');
    close(stopped.write);
    read(go.read, 1);
  };
  const child = spawn({ args, env, cwd: '/', stdio: [devNull, devNull, devNull] }, { cloneFlags: 0n, prepare });
  for (const fd of [devNull, stopped.write, go.read]) close(fd);
  const alive = read(stopped.read, 1)?.length === 1;
  close(stopped.read);
  pending = { go: go.write, report: child.report };
  if (!alive) goOn();
  return child.pid;
}

/** Let the child become its program. */
export function goOn(): void {
  if (!pending) throw new Error('No child is on its way.');
  const { go, report } = pending;
  pending = undefined;
  try {
    write(go, '.');
  } catch {
    // It has ended; its report says why.
  }
  close(go);
  const failure = readAll(report);
  close(report);
  if (failure) throw new Error(`the child failed: ${(JSON.parse(failure) as { message: string }).message}`);
}

function take(step: Step): void {
  if (step.do === 'dropBoundingSet') dropBoundingSet(step.keep);
  else if (step.do === 'setCapabilitySets') setCapabilitySets(step.capabilities, step.untilExec);
  else if (step.do === 'confine') confineAs(step.confinement);
  else {
    credentials.prctl(credentials.PR_SET_NO_NEW_PRIVS, 1);
    setSeccompFilter(encode(instructions(step)), 0);
  }
}

function confineAs({ capabilities, noNewPrivileges, filter, user }: ConfineRequest): void {
  confine({
    capabilities,
    noNewPrivileges,
    filter: filter && ({ program: Buffer.from(filter.program), flags: filter.flags } satisfies SeccompFilter),
    changeUser: () => {
      credentials.setGroups(user.groups);
      credentials.setGid(user.gid);
      credentials.setUid(user.uid);
    },
    // As the engine does: the change of user has made the kernel forget it.
    beforeFilter: () => void credentials.prctl(credentials.PR_SET_PDEATHSIG, 9),
  });
}

/** The program of a filter, for the judge to run in its own copy of the kernel's little machine. */
export function instructions({ entries, foreign }: { entries: FilterEntry[]; foreign: number }): Instruction[] {
  return assembleFilter(entries, foreign);
}
