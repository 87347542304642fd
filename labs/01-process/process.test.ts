import { constants } from 'node:os';
import { describe, expect, test } from 'vitest';
import {
  cmdline,
  environ,
  eventually,
  isRunning,
  namespaceInode,
  nonce,
  openDescriptors,
  processWithNonce,
  signalSets,
  status,
} from '../../grader/harness/evidence.ts';
import { readFileSync } from '../../grader/harness/files.ts';
import { inside } from '../../grader/harness/inside.ts';
import { draw } from '../../grader/harness/random.ts';
import { makeFifo, unsupported } from '../../grader/harness/suite.ts';
import type { StartRequest } from './process.driver.ts';
import {
  attempt,
  children,
  fail,
  isAsleep,
  isWaiting,
  makeFile,
  openSecret,
  SOON,
  sameFile,
  shell,
  sleeper,
  start,
  statusOrProgram,
  subject,
  useOneSubject,
  waitFor,
} from './process.judge.ts';

const CLONE_FS = 0x200n;
const CLONE_NEWNS = 0x20000n;
const CLONE_NEWPID = 0x20000000n;
const SIGTERM = 15;
/** Where a program is looked for when its environment has no PATH. */
const USUAL_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const names = [
  'HUP',
  'INT',
  'QUIT',
  'ILL',
  'TRAP',
  'BUS',
  'FPE',
  'KILL',
  'USR1',
  'SEGV',
  'USR2',
  'PIPE',
  'ALRM',
  'TERM',
];

useOneSubject();

describe('what wait(2) stores', () => {
  const text = (stored: number) => `what exitStatus should make of 0x${stored.toString(16).padStart(4, '0')}`;

  test('task 1: an exit code is read out of the wait status', async () => {
    for (const code of draw.some([0, 1, draw.int(2, 127), 128, draw.int(129, 254), 255]))
      expect(await subject().call('exitStatus', code << 8), text(code << 8)).toEqual({ exitCode: code, signal: null });
  });

  test('task 1: death by signal n is 128 + n and has a name, with or without a core dump', async () => {
    for (const name of draw.some(names)) {
      const signal = `SIG${name}` as NodeJS.Signals;
      const number = constants.signals[signal];
      for (const stored of draw.some([number, number | 0x80]))
        expect(await subject().call('exitStatus', stored), text(stored)).toEqual({ exitCode: 128 + number, signal });
    }
  });
});

describe('a child becomes the program', () => {
  test('task 2: the program runs in a child of the caller, with exactly the arguments given', async () => {
    const args = [...sleeper(), ...Array.from({ length: draw.int(1, 4) }, () => String(draw.int(1000, 9999)))];
    const { pid, inner } = await start({ args });
    expect(status(pid).PPid, 'the parent of the program').toBe(String(subject().pid));
    expect(status(pid).NSpid?.split(/\s+/).at(-1), 'spawn should return the pid of the program itself').toBe(
      String(inner),
    );
    expect(cmdline(pid)).toEqual(args);
  });

  test('task 2: the environment is exactly the one given', async () => {
    const mark = nonce();
    const word = () => draw.word();
    const odd = [`EMPTY_${word()}=`, `E=${word()}=mc²`, `SPACED=${word()}  ${word()}`, `SECRET=${nonce()}`];
    const env = draw.some([`SKIFF_NONCE=${mark}`, ...odd]);
    await attempt({ env });
    const pid = await processWithNonce(subject(), mark, { program: 'sleep', patience: 10_000 });
    expect(environ(pid), `/proc/${pid}/environ of the program`).toEqual(env);
  });

  test('task 2: the working directory is the one given', async () => {
    const { inside: cwd, outside } = await subject().workDir();
    const { pid } = await start({ cwd });
    expect(sameFile(`/proc/${pid}/cwd`, outside), `whether /proc/PID/cwd is ${cwd}`).toBe(true);
  });

  test('task 2: clone flags reach the kernel, and without options there are none', async () => {
    const plain = await start({});
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
    const { pid } = await start({ mine: 'execute', files, stdio });
    const found = [0, 1, 2].map((fd) => {
      if (openDescriptors(pid)[fd] === undefined) return `${fd}: closed`;
      return `${fd}: ${at.find((number) => sameFile(`/proc/${pid}/fd/${fd}`, `${outside}/${number}`)) ?? 'something else'}`;
    });
    expect(found, 'which descriptor of the parent each of the program’s is').toEqual(
      stdio.map((source, fd) => `${fd}: ${source}`),
    );
  }

  const threeFrom = (low: number) => {
    const first = draw.int(low, 80);
    return draw.some([first, first + 1, first + 2]) as [number, number, number];
  };

  test('task 3: three descriptors of the parent become 0, 1 and 2', async () => {
    const three = threeFrom(50);
    await startWith(three, [...three]);
  });

  test('task 3: 0, 1 and 2 may change places', async () => {
    await startWith([0, 1, 2], [1, 0, 2]);
    await startWith([0, 1, 2], [1, 2, 0]);
    await startWith([0, 1, 2], [2, 0, 1]);
    const other = draw.int(50, 80);
    await startWith([0, 1, other], [other, 0, 1]);
    await startWith([0, 1, other], [1, other, 0]);
  });

  test('task 3: one descriptor may serve as several', async () => {
    const three = threeFrom(50);
    await startWith(three, [three[1], three[1], three[1]]);
    await startWith(three, [three[0], three[2], three[2]]);
    await startWith([0, 1, 2], [2, 0, 0]);
    await startWith([0, 1, 2], [1, 1, 0]);
  });

  test('task 3: 0, 1 and 2 stay open in the program when they are passed on as they are', () =>
    startWith([0, 1, 2], [0, 1, 2]));

  test('task 3: no other descriptor reaches the program', async () => {
    const { inside, outside } = await subject().workDir();
    makeFile(`${outside}/confidential`, '', 0o666);
    const leak = { at: draw.int(50, 200), path: `${inside}/confidential` };
    const { pid } = await start({ mine: 'execute', leak });
    expect(openDescriptors(pid), 'what the program has open, from /proc/PID/fd').toEqual({
      0: '/dev/null',
      1: '/dev/null',
      2: '/dev/null',
    });
  });
});

describe('signals', () => {
  const mine = 'execute';

  test('task 4: no signal is blocked', async () => {
    const { pid } = await start({ mine });
    expect(namesIn(signalSets(pid).blocked), `SigBlk of /proc/${pid}/status`).toEqual([]);
  });

  test('task 4: SIGPIPE is not ignored', async () => {
    const { pid } = await start({ mine });
    expect(namesIn(signalSets(pid).ignored & (1n << 12n)), `SIGPIPE in SigIgn of /proc/${pid}/status`).toEqual([]);
  });

  test('task 4: no signal is ignored, whatever the parent ignores', async () => {
    const [SIGHUP, SIGUSR1, SIGRTMAX] = [1, 10, 64];
    const { pid } = await start({ mine, ignore: [SIGHUP, SIGUSR1, draw.int(3, 6), draw.int(34, 63), SIGRTMAX] });
    expect(namesIn(signalSets(pid).ignored), `SigIgn of /proc/${pid}/status`).toEqual([]);
  });

  test('task 4: a signal that came before the exec is not lost', async () => {
    const raise = draw.pick([1, 2, 3, 14, SIGTERM]);
    const { pid } = await attempt({ mine, ignore: [raise], prepare: { raise } });
    const end = await statusOrProgram(pid, sleeper()[0]!);
    expect(end, `the wait status of the child, which signal ${raise} should end before it becomes its program`).toBe(
      raise,
    );
  });

  /** Bit n − 1 stands for signal n. */
  function namesIn(set: bigint): string[] {
    const known = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));
    return Array.from({ length: 64 }, (_, index) => index + 1)
      .filter((number) => (set >> BigInt(number - 1)) & 1n)
      .map((number) => known.get(number) ?? `signal ${number}`);
  }
});

describe('failures', () => {
  test('task 5: the report is at end-of-file while the program still runs', async () => {
    const { pid, report } = await start({});
    const pipe = openDescriptors(subject().pid)[report];
    expect(pipe, `descriptor ${report} of the subject, which is to be the report`).toMatch(/^pipe:/);
    expect(await subject().call('readReport', report, SOON), 'what the report holds').toBe('');
    expect(isAsleep(pid), 'whether the program still runs').toBe(true);
    const ends = Object.values(openDescriptors(subject().pid)).filter((target) => target === pipe);
    expect(ends.length, 'how many ends of the report pipe the parent still has open').toBe(1);
  });

  test('task 5: a fork that fails leaves no descriptor open', async () => {
    await start({});
    const before = openDescriptors(subject().pid);
    for (let round = 0; round < 2; round++)
      await expect(attempt({ cloneFlags: CLONE_FS | CLONE_NEWNS })).rejects.toThrow('EINVAL');
    expect(openDescriptors(subject().pid), 'what the parent has open after a fork that failed').toEqual(before);
    const { report } = await start({});
    const more = Object.keys(openDescriptors(subject().pid)).filter((fd) => !(fd in before));
    expect(more, 'what the parent has more after a start: the report').toEqual([String(report)]);
  });

  test('task 5: a missing program is 127', async () => {
    const { inside: directory, outside } = await subject().workDir();
    const name = draw.word();
    const missing = `${directory}/${name}`;
    makeFile(`${outside}/letter`, 'Dear reader,\n', 0o644);
    const failure = await fail({ args: [missing] });
    expect(failure).toMatchObject({ step: 'execve', code: 'ENOENT', exitCode: 127 });
    expect(failure.message, 'the message should name the program').toContain(missing);
    const unfound = { code: 'ENOENT', exitCode: 127 };
    expect(await fail({ args: [name], env: [`PATH=${directory}:/nowhere`] })).toMatchObject(unfound);
    expect(await fail({ args: [''] }), 'for an empty name').toMatchObject(unfound);
    const below = { step: 'execve', code: 'ENOTDIR', exitCode: 127 };
    expect(await fail({ args: [`${directory}/letter/${name}`] }), 'for a path through a file').toMatchObject(below);
  });

  test('task 5: a file that cannot be executed is 126', async () => {
    const { inside: directory, outside } = await subject().workDir();
    makeFile(`${outside}/letter`, 'Dear reader,\n', 0o644);
    makeFile(`${outside}/garbage`, `no format the kernel knows, ${draw.word()}`, 0o755);
    const refused = { step: 'execve', exitCode: 126 };
    expect(await fail({ args: [`${directory}/letter`] })).toMatchObject({ ...refused, code: 'EACCES' });
    expect(await fail({ args: [`${directory}/garbage`] })).toMatchObject({ ...refused, code: 'ENOEXEC' });
    expect(await fail({ args: [directory] }), 'for a directory').toMatchObject({ ...refused, code: 'EACCES' });
  });

  test('task 5: a name is looked up in the PATH of the program, from left to right', async () => {
    const { directory, tool, found } = await toolbox();
    const [one, other] = draw.some(['first', 'second']);
    const env = [`PATH=${directory}/none:${directory}/letter/${tool}:${directory}/${one}:${directory}/${other}`];
    expect(await found({ env })).toBe(`${directory}/${one}/${tool}`);
  });

  test('task 5: an empty element of PATH is the working directory', async () => {
    const { directory, tool, found } = await toolbox();
    const here = new RegExp(`^(\\./)*${tool}$`);
    for (const path of draw.some([
      `${directory}/none:`,
      `:${directory}/first`,
      `${directory}/none::${directory}/first`,
      '',
    ]))
      expect(await found({ env: [`PATH=${path}`], cwd: `${directory}/second` }), `PATH is "${path}"`).toMatch(here);
  });

  test('task 5: without a PATH in its environment a program is found in the usual directories', async () => {
    const { directory, tool, found } = await toolbox();
    const there = USUAL_PATH.filter((name) => inside(subject().pid).exists(name));
    if (there.length === 0) unsupported(`The sandbox has none of ${USUAL_PATH.join(', ')}.`);
    for (const to of draw.some(there, 3)) {
      const bind = { from: `${directory}/first`, to };
      const script = await found({ cloneFlags: CLONE_NEWNS, prepare: { bind }, cwd: `${directory}/second` });
      expect(USUAL_PATH.map((name) => `${name}/${tool}`)).toContain(script);
    }
    expect(await fail({ mine: 'execute', args: [tool], cwd: `${directory}/second` })).toMatchObject({ code: 'ENOENT' });
  });

  test('task 5: a file in PATH that may not be executed is passed over, and remembered', async () => {
    const { directory, tool, found } = await toolbox();
    const [one, other] = draw.some(['first', 'second']);
    const env = [`PATH=${directory}/letter:${directory}/${one}:${directory}/${other}`];
    expect(await found({ env })).toBe(`${directory}/${one}/${tool}`);
    const refused = { code: 'EACCES', exitCode: 126 };
    for (const order of draw.some(['letter none', 'none letter', 'none letter none'])) {
      const path = order.split(' ').map((name) => `${directory}/${name}`);
      expect(await fail({ args: [tool], env: [`PATH=${path.join(':')}`] })).toMatchObject(refused);
    }
  });

  /** Two programs and a letter of one name. `found` tells which one a start by name ends in. */
  async function toolbox() {
    const { inside: directory, outside } = await subject().workDir();
    const tool = `tool${nonce()}`;
    const script = `#!${subject().rootfs}/bin/sh\nread line\n`;
    makeFifo(outside, 'never');
    makeFile(`${outside}/letter/${tool}`, 'Dear reader,\n', 0o644);
    makeFile(`${outside}/first/${tool}`, script, 0o755);
    makeFile(`${outside}/second/${tool}`, script, 0o755);
    const files = [{ at: 50, path: `${directory}/never` }];
    return {
      directory,
      tool,
      found: async (request: Partial<StartRequest>) => {
        const stdio: [number, number, number] = [50, 50, 50];
        const { pid } = await start({ mine: 'execute', args: [tool], files, stdio, ...request });
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
    expect(failure).toMatchObject({ step: 'prepare', code: 'EUNKNOWN', exitCode: 125 });
    expect(failure.message).toContain(message);
    const missing = `${(await subject().workDir()).inside}/missing`;
    expect(await fail({ prepare: { chdir: missing } })).toMatchObject({
      step: 'chdir',
      code: 'ENOENT',
      exitCode: 125,
    });
  });

  test('task 5: a missing working directory is 125 and names chdir', async () => {
    const cwd = `${(await subject().workDir()).inside}/missing`;
    const failure = await fail({ cwd });
    expect(failure).toMatchObject({ step: 'chdir', code: 'ENOENT', exitCode: 125 });
    expect(failure.message).toContain(cwd);
  });
});

describe('the end', () => {
  const mine = 'none';

  /** A program that ends as it is told, and has not been told yet. */
  async function obedient(script: string) {
    const secret = await openSecret();
    const started = await start({ mine, args: shell(script), env: [`FROM=${secret.path}`] });
    return { ...started, tell: secret.tell };
  }

  const exits = 'read code <"$FROM"; exit "$code"';

  test('task 6: the exit code is the one the program was told', async () => {
    for (const code of draw.some([0, draw.int(1, 125), draw.int(128, 255)])) {
      const { inner, tell } = await obedient(exits);
      const { answer } = await waitFor(inner);
      await tell(code);
      expect(await answer, `the end of a program that was told to exit ${code}`).toEqual({
        exitCode: code,
        signal: null,
      });
    }
  });

  test('task 6: the signal is the one that killed the program', async () => {
    const name = draw.pick(['HUP', 'INT', 'KILL', 'USR1', 'TERM']);
    const number = constants.signals[`SIG${name}` as NodeJS.Signals];
    const { inner, tell } = await obedient('read number <"$FROM"; kill -"$number" $$');
    const { answer } = await waitFor(inner);
    await tell(number);
    expect(await answer).toEqual({ exitCode: 128 + number, signal: `SIG${name}` });
  });

  test('task 6: a child that has been waited for leaves no zombie', async () => {
    const { pid, inner, tell } = await obedient(exits);
    expect(children()).toContain(pid);
    const code = draw.int(1, 125);
    const { answer } = await waitFor(inner);
    await tell(code);
    expect(await answer).toEqual({ exitCode: code, signal: null });
    expect(children(), 'the subject’s children, those that have ended included').not.toContain(pid);
  });

  test('task 6: only the child that was asked for is waited for', async () => {
    const [first, second] = [await obedient(exits), await obedient(exits)];
    const [one, other] = [draw.int(1, 60), draw.int(61, 125)];
    await first.tell(one);
    await eventually(() => !isRunning(first.pid) || null, 'The first program should have ended.', 10_000);
    const { answer } = await waitFor(second.inner);
    await second.tell(other);
    expect(await answer, 'the end of the second child; the first had ended before').toEqual({
      exitCode: other,
      signal: null,
    });
    expect(await subject().call('wait', first.inner), 'the end of the first child').toEqual({
      exitCode: one,
      signal: null,
    });
  });

  test('task 6: a signal to the waiting process does not end the wait', async () => {
    await subject().call('catchSignalsWithoutRestart');
    const code = draw.int(1, 125);
    const { inner, tell } = await obedient(exits);
    const { answer } = await waitFor(inner);
    for (let round = 0; round < 2; round++) {
      await eventually(() => isWaiting() || null, 'A wait should go on after a signal has come.', 10_000, answer);
      process.kill(subject().pid, 'SIGUSR2');
      await eventually(nothingPending, 'The signal should be delivered.', 10_000);
    }
    await tell(code);
    expect(await answer).toEqual({ exitCode: code, signal: null });
  });

  function nothingPending(): true | null {
    return BigInt(`0x${status(subject().pid).ShdPnd}`) === 0n || null;
  }

  test('task 6: a process that is not a child of ours, or has been waited for, is ECHILD', async () => {
    const { inner, tell } = await obedient(exits);
    const code = draw.int(1, 125);
    await tell(code);
    expect(await subject().call('wait', inner)).toEqual({ exitCode: code, signal: null });
    await expect(subject().call('wait', inner)).rejects.toThrow('ECHILD');
    await expect(subject().call('wait', 1)).rejects.toThrow('ECHILD');
  });
});
