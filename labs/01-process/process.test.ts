import { randomInt } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  cmdline,
  environ,
  eventually,
  namespaceInode,
  nonce,
  openDescriptors,
  processWithNonce,
  signalSets,
  status,
} from '../../grader/harness/evidence.ts';
import { readFileSync } from '../../grader/harness/files.ts';
import { makeFifo } from '../../grader/harness/suite.ts';
import type { StartRequest } from './process.driver.ts';
import {
  attempt,
  children,
  DEADLINE,
  fail,
  isAsleep,
  isBlockedInWait,
  makeFile,
  openSecret,
  sameFile,
  shell,
  sleeper,
  start,
  subject,
  useOneSubject,
  waitFor,
} from './process.judge.ts';

const CLONE_NEWPID = 0x20000000n;

useOneSubject();

describe('what wait(2) stores', () => {
  test('task 1: an exit code is read out of the wait status', async () => {
    for (const code of [0, 1, randomInt(2, 128), 128, randomInt(129, 255), 255]) {
      const status = `wait status 0x${(code << 8).toString(16)}`;
      expect(await subject().call('exitStatus', code << 8), status).toEqual({ exitCode: code, signal: null });
    }
  });

  test('task 1: death by signal n is 128 + n and has a name, with or without a core dump', async () => {
    const deaths: [number, number, string][] = [
      [0x09, 137, 'SIGKILL'],
      [0x0f, 143, 'SIGTERM'],
      [0x0b, 139, 'SIGSEGV'],
      [0x8b, 139, 'SIGSEGV'],
      [0x86, 134, 'SIGABRT'],
      [0x01, 129, 'SIGHUP'],
    ];
    for (const [status, exitCode, signal] of deaths) {
      expect(await subject().call('exitStatus', status), `wait status 0x${status.toString(16)}`).toEqual({
        exitCode,
        signal,
      });
    }
  });
});

describe('a child becomes the program', () => {
  test('task 2: the program runs in a child of the caller, with exactly the arguments given', async () => {
    const args = [...sleeper(), '1001', '1002.5'];
    const { pid, inner } = await start({ args });
    expect(status(pid).PPid, 'the parent of the program').toBe(String(subject().pid));
    expect(status(pid).NSpid?.split(/\s+/).at(-1), 'spawn should return the pid of the program itself').toBe(
      String(inner),
    );
    expect(cmdline(pid)).toEqual(args);
  });

  test('task 2: the environment is exactly the one given', async () => {
    const mark = nonce();
    const env = [`SKIFF_NONCE=${mark}`, 'EMPTY=', 'EQUATION=e=mc²', 'SPACED=two  words', `SECRET=${nonce()}`];
    await attempt({ env });
    expect(environ(await processWithNonce(subject(), mark, { program: 'sleep' }))).toEqual(env);
  });

  test('task 2: the working directory is the one given', async () => {
    const { inside: cwd, outside } = await subject().workDir();
    const { pid } = await start({ cwd });
    expect(sameFile(`/proc/${pid}/cwd`, outside), `whether /proc/PID/cwd is ${cwd}`).toBe(true);
  });

  test('task 2: clone flags reach the kernel, and without options there are none', async () => {
    const plain = await start();
    const separate = await start({ cloneFlags: CLONE_NEWPID });
    const own = namespaceInode(subject().pid, 'pid');
    expect(namespaceInode(plain.pid, 'pid'), 'nobody asked for a new PID namespace').toBe(own);
    expect(namespaceInode(separate.pid, 'pid'), 'CLONE_NEWPID asks for a new PID namespace').not.toBe(own);
    expect(status(separate.pid).NSpid?.split(/\s+/).at(-1), 'the first process of a PID namespace').toBe('1');
  });
});

describe('descriptors', () => {
  async function startWith(at: [number, number, number], stdio: [number, number, number]) {
    const { inside, outside } = await subject().workDir();
    const files = at.map((number) => ({ at: number, path: `${inside}/${number}` }));
    for (const number of at) makeFile(`${outside}/${number}`, '', 0o666);
    const { pid } = await start({ files, stdio });
    const found = [0, 1, 2].map((fd) => {
      if (openDescriptors(pid)[fd] === undefined) return `${fd}: closed`;
      return `${fd}: ${at.find((number) => sameFile(`/proc/${pid}/fd/${fd}`, `${outside}/${number}`)) ?? 'something else'}`;
    });
    expect(found, 'which descriptor of the parent each of the program’s is').toEqual(
      stdio.map((source, fd) => `${fd}: ${source}`),
    );
  }

  test('task 3: three descriptors of the parent become 0, 1 and 2', () => startWith([50, 51, 52], [51, 50, 52]));

  test('task 3: 0, 1 and 2 may change places', async () => {
    await startWith([0, 1, 2], [1, 0, 2]);
    await startWith([0, 1, 2], [1, 2, 0]);
    await startWith([0, 1, 2], [2, 0, 1]);
    await startWith([0, 1, 50], [50, 0, 1]);
  });

  test('task 3: one descriptor may serve as several', async () => {
    await startWith([50, 51, 52], [51, 51, 51]);
    await startWith([0, 1, 2], [2, 0, 0]);
    await startWith([0, 1, 2], [1, 1, 0]);
  });

  test('task 3: 0, 1 and 2 stay open in the program when they are passed on as they are', () =>
    startWith([0, 1, 2], [0, 1, 2]));

  test('task 3: no other descriptor reaches the program', async () => {
    const { inside, outside } = await subject().workDir();
    makeFile(`${outside}/confidential`, '', 0o666);
    const { pid } = await start({ leak: { at: 60, path: `${inside}/confidential` } });
    expect(openDescriptors(pid), 'what the program has open, from /proc/PID/fd').toEqual({
      0: '/dev/null',
      1: '/dev/null',
      2: '/dev/null',
    });
  });
});

describe('signals', () => {
  test('task 4: no signal is blocked', async () => {
    const { pid } = await start();
    expect(signalSets(pid).blocked.toString(16), 'SigBlk of /proc/PID/status').toBe('0');
  });

  test('task 4: SIGPIPE is not ignored', async () => {
    const { pid } = await start();
    expect(Boolean(signalSets(pid).ignored & (1n << 12n)), 'whether SigIgn of /proc/PID/status has bit 13').toBe(false);
  });

  test('task 4: no signal is ignored, whatever the parent ignores', async () => {
    const [SIGHUP, SIGUSR1, SIGRTMIN3, SIGRTMAX] = [1, 10, 37, 64];
    const { pid } = await start({ ignore: [SIGHUP, SIGUSR1, SIGRTMIN3, SIGRTMAX] });
    expect(signalSets(pid).ignored.toString(16), 'SigIgn of /proc/PID/status').toBe('0');
  });
});

describe('failures', () => {
  test('task 5: the report is at its end while the program still runs', async () => {
    const { pid, report } = await start();
    const pipe = openDescriptors(subject().pid)[report];
    expect(pipe, `descriptor ${report} of the subject, which is to be the report`).toMatch(/^pipe:/);
    expect(await subject().call('readReport', report, DEADLINE)).toBe('');
    expect(isAsleep(pid), 'whether the program still runs').toBe(true);
    const ends = Object.values(openDescriptors(subject().pid)).filter((target) => target === pipe);
    expect(ends.length, 'how many ends of the report pipe the parent still has open').toBe(1);
  });

  test('task 5: a program that is not there is 127', async () => {
    const directory = (await subject().workDir()).inside;
    const failure = await fail({ args: [`${directory}/missing`] });
    expect(failure).toMatchObject({ step: 'execve', code: 'ENOENT', exitCode: 127 });
    expect(failure.message, 'the message should name the program').toContain(`${directory}/missing`);
    expect(await fail({ args: ['missing'], env: [`PATH=${directory}:/nowhere`] })).toMatchObject({
      code: 'ENOENT',
      exitCode: 127,
    });
  });

  test('task 5: a file that cannot be executed is 126', async () => {
    const { inside: directory, outside } = await subject().workDir();
    makeFile(`${outside}/letter`, 'Dear reader,\n', 0o644);
    makeFile(`${outside}/garbage`, 'no format the kernel knows', 0o755);
    expect(await fail({ args: [`${directory}/letter`] })).toMatchObject({ code: 'EACCES', exitCode: 126 });
    expect(await fail({ args: [`${directory}/garbage`] })).toMatchObject({ code: 'ENOEXEC', exitCode: 126 });
  });

  test('task 5: a name is looked up in the PATH of the program, from left to right', async () => {
    const { directory, found } = await toolbox();
    const env = [`PATH=${directory}/none:${directory}/letter/tool:${directory}/first:${directory}/second`];
    expect(await found({ env })).toBe(`${directory}/first/tool`);
    expect(await found({ env: [`PATH=${directory}/none:`], cwd: `${directory}/second` })).toMatch(/^(\.\/)?tool$/);
  });

  test('task 5: a file in PATH that may not be executed is passed over, and remembered', async () => {
    const { directory, found } = await toolbox();
    const env = [`PATH=${directory}/letter:${directory}/second:${directory}/first`];
    expect(await found({ env })).toBe(`${directory}/second/tool`);
    const only = [`PATH=${directory}/letter:${directory}/none`];
    expect(await fail({ args: ['tool'], env: only })).toMatchObject({ code: 'EACCES', exitCode: 126 });
  });

  /** Two programs and a letter, all named `tool`. `found` tells which one a start by name ends in. */
  async function toolbox() {
    const { inside: directory, outside } = await subject().workDir();
    const script = `#!${subject().rootfs}/bin/sh\nread line\n`;
    makeFifo(outside, 'never');
    makeFile(`${outside}/letter/tool`, 'Dear reader,\n', 0o644);
    makeFile(`${outside}/first/tool`, script, 0o755);
    makeFile(`${outside}/second/tool`, script, 0o755);
    const files = [{ at: 50, path: `${directory}/never` }];
    return {
      directory,
      found: async (request: Partial<StartRequest>) => {
        const { pid } = await start({ args: ['tool'], files, stdio: [50, 50, 50], ...request });
        return cmdline(pid)[1]; // The kernel runs a script as INTERPRETER SCRIPT ARGUMENTS.
      },
    };
  }

  test('task 5: prepare runs in the child, before the program', async () => {
    const { inside, outside } = await subject().workDir();
    makeFile(`${outside}/pid`, '', 0o666);
    const { pid, inner } = await start({ prepare: { writePidTo: `${inside}/pid` } });
    expect(status(pid).PPid).toBe(String(subject().pid));
    expect(readFileSync(`${outside}/pid`, 'utf8'), 'the pid of the process that prepare ran in').toBe(String(inner));
  });

  test('task 5: what prepare throws is reported as 125', async () => {
    const message = `reef ahead at ${nonce()}`;
    const failure = await fail({ prepare: { fail: message } });
    expect(failure).toMatchObject({ code: 'EUNKNOWN', exitCode: 125 });
    expect(failure.message).toContain(message);
    const missing = `${(await subject().workDir()).inside}/missing`;
    expect(await fail({ prepare: { chdir: missing } })).toMatchObject({ code: 'ENOENT', exitCode: 125 });
  });

  test('task 5: a working directory that is not there is 125 and names chdir', async () => {
    const cwd = `${(await subject().workDir()).inside}/missing`;
    const failure = await fail({ cwd });
    expect(failure).toMatchObject({ step: 'chdir', code: 'ENOENT', exitCode: 125 });
    expect(failure.message).toContain(cwd);
  });
});

describe('the end', () => {
  test('task 6: the exit code is the one the program was told', async () => {
    for (const code of [0, randomInt(1, 126)]) {
      const secret = await openSecret();
      const { inner } = await start({ args: shell('read code <"$FROM"; exit "$code"'), env: [`FROM=${secret.path}`] });
      const { answer } = await waitFor(inner);
      await secret.tell(code);
      expect(await answer).toEqual({ exitCode: code, signal: null });
    }
  });

  test('task 6: the signal is the one that killed the program', async () => {
    const [number, signal] = [[9, 'SIGKILL'] as const, [15, 'SIGTERM'] as const, [1, 'SIGHUP'] as const][randomInt(3)]!;
    const secret = await openSecret();
    const args = shell('read number <"$FROM"; kill -"$number" $$');
    const { inner } = await start({ args, env: [`FROM=${secret.path}`] });
    const { answer } = await waitFor(inner);
    await secret.tell(number);
    expect(await answer).toEqual({ exitCode: 128 + number, signal });
  });

  test('task 6: a child that has been waited for leaves no zombie', async () => {
    const secret = await openSecret();
    const { pid, inner } = await start({ args: shell('read code <"$FROM"'), env: [`FROM=${secret.path}`] });
    expect(children()).toContain(pid);
    const { answer } = await waitFor(inner);
    await secret.tell(0);
    await answer;
    expect(children(), 'the subject’s children, those that have ended included').not.toContain(pid);
  });

  test('task 6: a signal to the waiting process does not end the wait', async () => {
    await subject().call('catchSignalsWithoutRestart');
    const code = randomInt(1, 126);
    const secret = await openSecret();
    const { inner } = await start({ args: shell('read code <"$FROM"; exit "$code"'), env: [`FROM=${secret.path}`] });
    const { answer } = await waitFor(inner);
    for (let round = 0; round < 2; round++) {
      await eventually(() => isBlockedInWait() || null, 'A wait should go on after a signal has come.');
      process.kill(subject().pid, 'SIGUSR2');
      await eventually(nothingPending, 'The signal should be delivered.');
    }
    await secret.tell(code);
    expect(await answer).toEqual({ exitCode: code, signal: null });
  });

  function nothingPending(): true | null {
    return BigInt(`0x${status(subject().pid).ShdPnd}`) === 0n || null;
  }

  test('task 6: a process that is not a child of ours is ECHILD', async () => {
    await expect(subject().call('wait', 1)).rejects.toThrow('ECHILD');
  });
});
