/**
 * Puts a child under a filter and tells what the kernel then said to it. Input: a Wish as JSON in the first argument;
 * output: a Report. Runs as `node --single-threaded --v8-pool-size=0`, like everything that forks.
 */

import { readFileSync } from 'node:fs';
import koffi from 'koffi';
import { PR_SET_KEEPCAPS, PR_SET_NO_NEW_PRIVS, prctl, setCapabilities, setUid } from '../../../kernel/credentials.ts';
import { close, dup2, pipe, read, readAll, write } from '../../../kernel/descriptors.ts';
import { execve, exitNow } from '../../../kernel/execve.ts';
import { fork } from '../../../kernel/fork.ts';
import { setRlimit } from '../../../kernel/rlimits.ts';
import { waitpid } from '../../../kernel/wait.ts';
import { dropBoundingSet, setCapabilitySets } from '../../privileges.ts';
import { installSeccomp } from '../install.ts';

export interface Wish {
  /** Base64 of the program; null for none. */
  program: string | null;
  flags: number;
  noNewPrivileges: boolean;
  /** Give up every capability before the filter is set. */
  dropCapabilities?: boolean;
  /** Become a container's user who has these capabilities, and CAP_SYS_ADMIN besides until its program is executed. */
  become?: { uid: number; capabilities: string[] };
  /** System calls to try: number and arguments. */
  calls?: [nr: number, ...args: number[]][];
  /** A program to become afterwards, with an absolute path. */
  exec?: string[];
}

export interface Report {
  /** One for each call: its result, or the negative errno. Shorter than asked for when the child was stopped. */
  results: number[];
  /** What the child threw, or null. */
  failure: { message: string; code?: string } | null;
  /** Seccomp, Seccomp_filters and NoNewPrivs of /proc/PID/status, before the program is executed. */
  status: Record<string, string>;
  /** What the program wrote to standard output and error. */
  output: string;
  waitStatus: number;
}

const syscall = koffi
  .load('libc.so.6')
  .func('long syscall(long, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t)');

function become({ uid, capabilities }: NonNullable<Wish['become']>): void {
  dropBoundingSet(capabilities);
  prctl(PR_SET_KEEPCAPS, 1);
  setUid(uid);
  const held = [...capabilities, 'CAP_SYS_ADMIN'];
  setCapabilitySets({ permitted: held, effective: held });
}

const wish = JSON.parse(process.argv[2]!) as Wish;
const results = pipe();
const output = pipe();
const go = pipe();

const pid = fork(() => {
  try {
    setRlimit(0, 'RLIMIT_CORE', { soft: 0, hard: 0 });
    if (wish.dropCapabilities) setCapabilities({ effective: 0n, permitted: 0n, inheritable: 0n });
    if (wish.become) become(wish.become);
    if (wish.noNewPrivileges) prctl(PR_SET_NO_NEW_PRIVS, 1);
    if (wish.program !== null) installSeccomp({ program: Buffer.from(wish.program, 'base64'), flags: wish.flags });
    for (const [nr, ...args] of wish.calls ?? []) {
      while (args.length < 6) args.push(0);
      const result = Number(syscall(nr, ...args));
      write(results.write, `${result === -1 ? -koffi.errno() : result}\n`);
    }
  } catch (error) {
    const { message, code } = error as Error & { code?: string };
    write(results.write, `${JSON.stringify({ message, code })}\n`);
  }
  write(results.write, 'done\n');
  read(go.read, 1);
  if (wish.exec) {
    dup2(output.write, 1);
    dup2(output.write, 2);
    execve(wish.exec[0]!, wish.exec, ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL=C']);
  }
  return exitNow(0);
});

close(results.write);
close(output.write);
let said = '';
let status: Record<string, string> = {};
for (let chunk = read(results.read); chunk !== null && chunk.length > 0; chunk = read(results.read)) {
  said += chunk.toString();
  if (!said.endsWith('done\n')) continue;
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  status = Object.fromEntries([...text.matchAll(/^(Seccomp|Seccomp_filters|NoNewPrivs):\t(.*)$/gm)].map((m) => [m[1], m[2]]));
  write(go.write, '.');
  break;
}
const written = readAll(output.read);
const lines = said.split('\n').filter((line) => line !== '' && line !== 'done');
const failures = lines.filter((line) => line.startsWith('{'));
const report: Report = {
  results: lines.filter((line) => !line.startsWith('{')).map(Number),
  failure: failures[0] ? JSON.parse(failures[0]) : null,
  status,
  output: written,
  waitStatus: waitpid(pid)!.status,
};
process.stdout.write(JSON.stringify(report));
