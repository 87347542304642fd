import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  cmdline,
  eventually,
  idMap,
  isRunning,
  namespaceInode,
  nonce,
  openDescriptors,
  status,
} from '../../grader/harness/evidence.ts';
import { chmodSync, mkdirSync, statSync } from '../../grader/harness/files.ts';
import { inside } from '../../grader/harness/inside.ts';
import { openSubject, type Subject } from '../../grader/harness/suite.ts';
import * as judge from './exec.judge.ts';

let subject: Subject;
let container: judge.Found;
beforeAll(async () => {
  subject = await openSubject();
  container = await judge.container(subject);
});
afterAll(async () => {
  await subject?.[Symbol.asyncDispose]();
});

/** What the kernel says that two processes do not share, as the specification calls it. */
function apart(pid: number): string[] {
  return Object.keys(judge.procNames)
    .filter(
      (type) => namespaceInode(pid, judge.procNames[type]!) !== namespaceInode(subject.pid, judge.procNames[type]!),
    )
    .sort();
}

const typesOf = (answer: unknown) => (answer as { type: string }[]).map(({ type }) => type).sort();

describe('what there is to join', () => {
  test('task 1: what a container does not share is listed, each with its path', async () => {
    const answer = (await subject.call('namespacesOf', container.inside)) as { type: string; path: string }[];
    expect(typesOf(answer)).toEqual(apart(container.pid));
    for (const { type, path } of answer) expect(path).toBe(`/proc/${container.inside}/ns/${judge.procNames[type]}`);
  });

  test('task 1: what is shared is left out', async () => {
    const shares = await judge.container(subject, { namespaces: [{ type: 'uts' }, { type: 'ipc' }] });
    expect(typesOf(await subject.call('namespacesOf', shares.inside))).toEqual(['ipc', 'uts']);
  });

  test('task 1: a process that is not there is an error that names it', async () => {
    await expect(subject.call('namespacesOf', 4_194_000)).rejects.toThrow(/4194000/);
  });
});

describe('a child in the right place', () => {
  test("task 2: the program is born in the container's PID namespace", async () => {
    const { pid } = await judge.join(subject, container);
    expect(namespaceInode(pid, 'pid'), 'the PID namespace of the program').toBe(namespaceInode(container.pid, 'pid'));
    expect(status(pid).PPid, 'the program is a child of the engine').toBe(String(subject.pid));
  });

  test('task 2: the next children of the engine are born beside it, also when a fork fails', async () => {
    await judge.join(subject, container);
    const own = namespaceInode(subject.pid, 'pid');
    expect(namespaceInode(subject.pid, 'pid_for_children'), 'after a fork').toBe(own);
    await expect(subject.call('forkThatFails', container.inside)).rejects.toThrow(/Cannot allocate memory/);
    expect(namespaceInode(subject.pid, 'pid_for_children'), 'after a fork that failed').toBe(own);
  });

  test('task 2: nobody in the container can look into the child before it has become its program', async () => {
    judge.needManyIds(subject);
    await using nobody = await openSubject({ uid: 'nobody' });
    const own = [{ containerID: 0, hostID: 65534, size: 1 }];
    const target = await judge.container(nobody, {
      namespaces: [{ type: 'user' }, { type: 'uts' }],
      uidMappings: own,
      gidMappings: own,
    });
    const base = idMap(nobody.pid, 'uid')[0]!.hostID;
    const child = await judge.joinInSteps(nobody, target);
    try {
      for (const moment of ['cgroup', 'joined'] as const) {
        await child.reaches(moment);
        expect(judge.ownerOfPrivateFiles(child.pid), `the child is dumpable at the moment "${moment}"`).toBe(base);
        await child.goOn();
      }
      await child.finish();
      expect(judge.ownerOfPrivateFiles(nobody.pid), 'the engine itself is dumpable again').toBe(base + 65534);
    } finally {
      child.close();
    }
  });
});

describe('joining', () => {
  test('task 3: the program is in every namespace of the container', async () => {
    const { pid } = await judge.join(subject, container);
    for (const name of Object.values(judge.procNames))
      expect(namespaceInode(pid, name), `the ${name} namespace`).toBe(namespaceInode(container.pid, name));
  });

  test('task 3: the cgroup is entered while the child still sees the host', async () => {
    const child = await judge.joinInSteps(subject, container);
    try {
      await child.reaches('cgroup');
      for (const name of ['mnt', 'uts', 'ipc', 'net', 'user'])
        expect(namespaceInode(child.pid, name), `the ${name} namespace was entered before the cgroup`).toBe(
          namespaceInode(subject.pid, name),
        );
      await child.goOn();
      await child.reaches('joined');
      for (const name of ['mnt', 'uts', 'ipc', 'net'])
        expect(namespaceInode(child.pid, name), `the ${name} namespace, when joinContainer has returned`).toBe(
          namespaceInode(container.pid, name),
        );
      await child.goOn();
      await child.finish();
    } finally {
      child.close();
    }
  });

  test("task 3: the program counts in the container's cgroup", async () => {
    const own = await openSubject();
    const target = await judge.container(own);
    const cgroup = judge.makeCgroup(target.pid);
    const child = await judge.joinInSteps(own, target);
    try {
      await child.reaches('cgroup');
      cgroup.add(child.pid);
      await child.goOn();
      await child.reaches('joined');
      await child.goOn();
      await child.finish();
      expect(judge.cgroupOf(child.pid, cgroup.hierarchy)).toBe(judge.cgroupOf(target.pid, cgroup.hierarchy));
      expect(cmdline(child.pid)).toEqual(judge.sleeper(own));
    } finally {
      child.close();
      // Everything in the sandbox ends with it, and an empty cgroup can be removed.
      await own[Symbol.asyncDispose]();
      cgroup.remove();
    }
  });

  test('task 3: a user namespace is joined before the others', async () => {
    await using nobody = await openSubject({ uid: 'nobody' });
    const own = [{ containerID: 0, hostID: 65534, size: 1 }];
    const namespaces = ['user', 'mount', 'uts', 'ipc', 'network'].map((type) => ({ type }));
    const target = await judge.container(nobody, { namespaces, uidMappings: own, gidMappings: own });
    const { pid } = await judge.join(nobody, target);
    for (const { type } of namespaces)
      expect(namespaceInode(pid, judge.procNames[type]!), `the ${type} namespace`).toBe(
        namespaceInode(target.pid, judge.procNames[type]!),
      );
  });

  test('task 3: in a joined user namespace the program is its root', async () => {
    judge.needManyIds(subject);
    const mappings = [{ containerID: 0, hostID: 1000, size: 10 }];
    const target = await judge.container(subject, {
      namespaces: [{ type: 'user' }, ...judge.everyNew],
      uidMappings: mappings,
      gidMappings: mappings,
    });
    const { pid } = await judge.join(subject, target);
    const base = idMap(subject.pid, 'uid')[0]!.hostID;
    expect(status(pid).Uid?.split(/\s+/), 'its four uids on the host').toEqual(Array(4).fill(String(base + 1000)));
    expect(status(pid).Gid?.split(/\s+/), 'its four gids on the host').toEqual(Array(4).fill(String(base + 1000)));
  });
});

describe('a terminal', () => {
  const size = { height: 33, width: 101 };

  test("task 4: its streams are a terminal of the container's own devpts, and nothing else is open", async () => {
    const { pid } = await judge.join(subject, container, { terminal: size });
    const tree = inside(container.pid);
    const streams = openDescriptors(pid);
    expect(Object.keys(streams)).toEqual(['0', '1', '2']);
    for (const fd of [0, 1, 2]) {
      const stream = statSync(`/proc/${pid}/fd/${fd}`);
      const own = tree.list('/dev/pts').filter((name) => /^\d+$/.test(name));
      const found = own.map((name) => tree.stat(`/dev/pts/${name}`)).find(({ ino }) => ino === stream.ino);
      expect(found?.dev, `descriptor ${fd} (${streams[fd]}) is no terminal of the container's /dev/pts`).toBe(
        stream.dev,
      );
    }
  });

  test('task 4: it leads a session, whose terminal it is, and is in the foreground', async () => {
    const { pid } = await judge.join(subject, container, { terminal: size });
    const { rdev } = statSync(`/proc/${pid}/fd/0`);
    const numbers = status(pid).NSpid!.split(/\s+/);
    expect(judge.sessionOf(pid), `the program is process ${numbers[0]} here`).toEqual({
      session: pid,
      group: pid,
      terminal: judge.packed(rdev),
      foreground: pid,
    });
  });

  test('task 4: a ctrl-c that is typed ends the program', async () => {
    const { pid, master } = await judge.join(subject, container, { terminal: size });
    expect(isRunning(pid)).toBe(true);
    await subject.call('type', master, '\u0003');
    await eventually(() => !isRunning(pid) || null, 'ctrl-c was typed, and the program did not hear of it.');
  });

  test('task 4: without a terminal it leads a session all the same', async () => {
    const { pid } = await judge.join(subject, container);
    expect(judge.sessionOf(pid)).toMatchObject({ session: pid, group: pid, terminal: 0 });
  });

  test('task 4: a link in the place of the multiplexer leads nowhere', async () => {
    const name = nonce();
    const directory = `${subject.outsidePath(subject.scratch)}/${name}`;
    mkdirSync(directory);
    chmodSync(directory, 0o777);
    await expect(subject.call('openTerminalBehindLink', `${subject.scratch}/${name}`)).rejects.toThrow(
      /ELOOP|EXDEV|symbolic link/,
    );
  });

  test('task 5: the terminal has its size before the program runs', async () => {
    const { pid } = await judge.join(subject, container, { terminal: size });
    expect(judge.terminalSize(pid)).toEqual(size);
  });

  test('task 5: a new size reaches the program as SIGWINCH', async () => {
    const secret = String(40 + (Number.parseInt(nonce().slice(0, 4), 16) % 200));
    const script = `trap 'exec ${subject.rootfs}/bin/sleep ${secret}' WINCH; read line; read line`;
    const args = judge.shell(subject, script);
    const { pid, master } = await judge.join(subject, container, { terminal: size, args, program: 'sh' });
    await eventually(() => caughtWinch(pid) || null, 'The program should wait for SIGWINCH.');
    await subject.call('resizeTerminal', master, { height: Number(secret), width: 77 });
    expect(judge.terminalSize(pid)).toEqual({ height: Number(secret), width: 77 });
    await eventually(
      () => (isRunning(pid) && cmdline(pid).at(-1) === secret) || null,
      'The size changed, and the program was not told.',
    );
  });
});

/** Whether a handler stands for SIGWINCH (28). */
function caughtWinch(pid: number): boolean {
  return (BigInt(`0x${status(pid).SigCgt}`) & (1n << 27n)) !== 0n;
}

describe('detach keys', () => {
  const bytes = (text: string) => [...Buffer.from(text, 'latin1')];
  /** What passes in all, and after which piece it was detached (−1 for never). */
  async function scan(keys: string, ...chunks: string[]): Promise<{ passed: string; at: number; pieces: string[] }> {
    const answers = (await subject.call('scan', bytes(keys), chunks.map(bytes))) as {
      passed: number[];
      detached: boolean;
    }[];
    const pieces = answers.map(({ passed }) => Buffer.from(passed).toString('latin1'));
    return { passed: pieces.join(''), at: answers.findIndex(({ detached }) => detached), pieces };
  }
  const word = () => nonce().replace(/[a-f]/g, '');

  test('task 6: what comes before the keys passes, the keys and what follows do not', async () => {
    const before = word();
    expect(await scan('\x10\x11', `${before}\x10\x11after`, 'later')).toMatchObject({ passed: before, at: 0 });
    expect(await scan('q', `${before}q`)).toMatchObject({ passed: before, at: 0 });
  });

  test('task 6: the keys are found however they are torn', async () => {
    const before = word();
    const typed = `${before}\x10\x11`;
    for (let cut = 0; cut <= typed.length; cut++)
      expect(await scan('\x10\x11', typed.slice(0, cut), typed.slice(cut))).toMatchObject({ passed: before });
    expect(await scan('abc', ...`${before}abcd`)).toMatchObject({ passed: before, at: before.length + 2 });
  });

  test('task 6: what begins like the keys and is something else passes whole', async () => {
    expect(await scan('\x10\x11', 'a\x10', 'b\x10', '\x10c')).toMatchObject({ passed: 'a\x10b\x10\x10c', at: -1 });
    expect(await scan('abc', 'ab', 'd')).toMatchObject({ passed: 'abd', at: -1 });
  });

  test('task 6: nothing is held back longer than it may become the keys', async () => {
    expect((await scan('abc', 'xa', 'b', 'x')).pieces).toEqual(['x', '', 'abx']);
    expect((await scan('\x10\x11', 'x\x10', '\x10')).pieces).toEqual(['x', '\x10']);
  });

  test('task 6: keys that begin inside a false start are found', async () => {
    expect(await scan('\x10\x11', '\x10\x10\x11')).toMatchObject({ passed: '\x10', at: 0 });
    expect(await scan('aab', 'aaab')).toMatchObject({ passed: 'a', at: 0 });
    expect(await scan('abac', 'ababac')).toMatchObject({ passed: 'ab', at: 0 });
  });
});
