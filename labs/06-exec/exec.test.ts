import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
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
import { draw } from '../../grader/harness/random.ts';
import { exists, openSubject, type Subject, unsupported } from '../../grader/harness/suite.ts';
import * as judge from './exec.judge.ts';

let subject: Subject;
let running: Promise<judge.Found> | undefined;
beforeAll(async () => {
  subject = await openSubject({
    prepare: () => {
      running = undefined;
    },
  });
});
/** The second subject is opened when a test needs it; a test that failed is not a reason to start it anew for the next. */
async function endNobody(): Promise<void> {
  const ending = nobody;
  nobody = undefined;
  itsContainer = undefined;
  await ending?.[Symbol.asyncDispose]();
}
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') await endNobody();
});
afterAll(async () => {
  await endNobody();
  await subject?.[Symbol.asyncDispose]();
});

/** One container serves all tests of a subject; those that need none do not wait for it. */
function container(): Promise<judge.Found> {
  running ??= judge.container(subject);
  return running;
}

/** What the kernel says that two processes do not share, as the specification calls it. */
function apart(pid: number): string[] {
  return Object.keys(judge.procNames)
    .filter(
      (type) => namespaceInode(pid, judge.procNames[type]!) !== namespaceInode(subject.pid, judge.procNames[type]!),
    )
    .sort();
}

const typesOf = (answer: unknown) => Array.from(answer as { type: string }[], ({ type }) => type).sort();
const namespacesOf = (pid: number) => subject.call('namespacesOf', pid) as Promise<{ type: string; path: string }[]>;
const sameNamespace = (pid: number, other: number, name: string, what: string) =>
  expect(namespaceInode(pid, name), `${what}: the inode number of its ${name} namespace`).toBe(
    namespaceInode(other, name),
  );

describe('what there is to join', () => {
  test('task 1: each namespace that the container does not share is listed with its path', async () => {
    const { pid, inside } = await container();
    const answer = await namespacesOf(inside);
    expect(typesOf(answer)).toEqual(apart(pid));
    for (const { type, path } of answer) expect(path).toBe(`/proc/${inside}/ns/${judge.procNames[type]}`);
  });

  test('task 1: a shared namespace is left out', async () => {
    const types = draw.some(['uts', 'ipc', 'network', 'mount', 'cgroup'], draw.int(1, 3));
    const shares = await judge.container(subject, { namespaces: types.map((type) => ({ type })) });
    expect(typesOf(await namespacesOf(shares.inside))).toEqual([...types].sort());
    const all = await judge.container(subject, { namespaces: [] });
    expect(await namespacesOf(all.inside), 'for a process that shares everything').toEqual([]);
  });

  test('task 1: a time namespace is left out', async () => {
    if (!exists('/proc/self/ns/time')) unsupported('This kernel has no time namespaces.');
    const found = await judge.container(subject, { namespaces: [{ type: 'uts' }], time: true });
    expect(namespaceInode(found.pid, 'time')).not.toBe(namespaceInode(subject.pid, 'time'));
    expect(typesOf(await namespacesOf(found.inside))).toEqual(['uts']);
  });

  test('task 1: a missing process is an error that names its pid', async () => {
    const { pid, inside } = await container();
    expect(typesOf(await namespacesOf(inside))).toEqual(apart(pid));
    const missing = draw.int(4_000_000, 4_194_300);
    await expect(namespacesOf(missing)).rejects.toThrow(new RegExp(`\\b${missing}\\b`));
  });
});

describe('a child in the right place', () => {
  const parts = ['forkInto' as const];

  test("task 2: the program is born in the container's PID namespace", async () => {
    const box = await container();
    const { pid } = await judge.join(subject, box, { parts });
    sameNamespace(pid, box.pid, 'pid', 'the program, which should be in that of the container');
    expect(status(pid).PPid, 'the program is a child of the engine').toBe(String(subject.pid));
  });

  test('task 2: without a PID namespace in the list the child is born beside the engine', async () => {
    const shares = await judge.container(subject, { namespaces: [{ type: 'uts' }] });
    const { pid } = await judge.join(subject, shares, { parts });
    sameNamespace(pid, subject.pid, 'pid', 'the program, which should be in that of the engine');
    sameNamespace(pid, shares.pid, 'uts', 'the program, which should be in that of the container');
  });

  test('task 2: the next children of the engine are born beside it, also when a fork fails', async () => {
    const box = await container();
    await judge.join(subject, box, { parts });
    sameNamespace(subject.pid, subject.pid, 'pid', 'the engine');
    const own = namespaceInode(subject.pid, 'pid');
    expect(namespaceInode(subject.pid, 'pid_for_children'), 'pid_for_children of the engine after a fork').toBe(own);
    await expect(subject.call('forkThatFails', box.inside)).rejects.toThrow(/Cannot allocate memory/);
    expect(namespaceInode(subject.pid, 'pid_for_children'), 'pid_for_children after a fork that failed').toBe(own);
  });

  test('task 2: what the fork returns is returned, and no descriptor stays open, also when a fork fails', async () => {
    const box = await container();
    const value = { pid: draw.int(2, 1000), mark: nonce() };
    expect(await subject.call('returnOfFork', box.inside, value)).toEqual(value);
    await judge.join(subject, box, { parts });
    const before = openDescriptors(subject.pid);
    expect(await subject.call('returnOfFork', box.inside, value)).toEqual(value);
    expect(openDescriptors(subject.pid), 'what the engine has open after a fork').toEqual(before);
    await expect(subject.call('forkThatFails', box.inside)).rejects.toThrow(/Cannot allocate memory/);
    expect(openDescriptors(subject.pid), 'what the engine has open after a fork that failed').toEqual(before);
    const gone = `/proc/${draw.int(4_000_000, 4_194_300)}/ns/pid`;
    await expect(subject.call('forkIntoNothing', gone)).rejects.toThrow(/ENOENT/);
    expect(openDescriptors(subject.pid), `what the engine has open when ${gone} cannot be opened`).toEqual(before);
  });

  test('task 2: no process of the container can look into the child from its birth on', async () => {
    const { nobody, target, base } = await ordinary();
    const child = await judge.joinInSteps(nobody, target, parts);
    try {
      expectUndumpable(child.pid, base, 'it is born');
      await child.reaches('cgroup');
      await child.reaches('joined');
      await child.finish();
    } finally {
      child.close();
    }
  });

  test('task 2: the engine is dumpable again afterwards, also when a fork fails', async () => {
    const { nobody, target, base } = await ordinary();
    const owner = () => judge.ownerOfPrivateFiles(nobody.pid);
    expect(owner(), 'the owner of /proc/PID/fd of the engine at first').toBe(base + 65534);
    const value = nonce();
    expect(await nobody.call('returnOfFork', target.inside, value)).toBe(value);
    expect(owner(), 'the owner of /proc/PID/fd of the engine after a fork').toBe(base + 65534);
    await expect(nobody.call('forkThatFails', target.inside)).rejects.toThrow(/Cannot allocate memory/);
    expect(owner(), 'the owner of /proc/PID/fd of the engine after a fork that failed').toBe(base + 65534);
  });
});

interface Ordinary {
  nobody: Subject;
  target: judge.Found;
  types: string[];
  /** The first id of the sandbox, as the judge sees it. */
  base: number;
}

let nobody: Subject | undefined;
let itsContainer: Promise<judge.Found> | undefined;
const itsTypes = ['user', 'mount', 'uts', 'ipc', 'network'];

/** An engine that is not root, so that it can be seen whether a process is dumpable, and a container of its own. */
async function ordinary(): Promise<Ordinary> {
  judge.needManyIds(subject);
  nobody ??= await openSubject({
    uid: 'nobody',
    prepare: () => {
      itsContainer = undefined;
    },
  });
  const own = [{ containerID: 0, hostID: 65534, size: 1 }];
  itsContainer ??= judge.container(nobody, {
    namespaces: draw.some(itsTypes).map((type) => ({ type })),
    uidMappings: own,
    gidMappings: own,
  });
  return { nobody, target: await itsContainer, types: itsTypes, base: idMap(nobody.pid, 'uid')[0]!.hostID };
}

function expectUndumpable(pid: number, base: number, when: string): void {
  if (judge.ownerOfPrivateFiles(pid) === base) return;
  throw new Error(
    `The child should not be dumpable when ${when}; it is: /proc/${pid}/fd belongs to the user the child runs as, ` +
      'so a process of the container can open what the engine has open.',
  );
}

describe('joining', () => {
  const parts = ['joinContainer' as const];

  test('task 3: the program is in every namespace of the container', async () => {
    const box = await container();
    const { pid } = await judge.join(subject, box, { parts });
    for (const name of Object.values(judge.procNames))
      sameNamespace(pid, box.pid, name, 'the program, which should be in that of the container');
  });

  test('task 3: the cgroup is entered while the child still sees the host', async () => {
    const box = await container();
    const child = await judge.joinInSteps(subject, box, parts);
    try {
      await child.reaches('cgroup');
      for (const name of ['mnt', 'uts', 'ipc', 'net', 'user', 'cgroup'])
        sameNamespace(child.pid, subject.pid, name, 'the child, which should still be in that of the engine');
      await child.reaches('joined');
      for (const name of ['mnt', 'uts', 'ipc', 'net', 'cgroup'])
        sameNamespace(child.pid, box.pid, name, 'the child, when joinContainer has returned');
      await child.finish();
    } finally {
      child.close();
    }
  });

  test("task 3: the program counts in the container's cgroup", async () => {
    await using own = await openSubject();
    const target = await judge.container(own, { namespaces: judge.everyNew.filter(({ type }) => type !== 'cgroup') });
    const cgroup = judge.makeCgroup(target.pid);
    const child = await judge.joinInSteps(own, target, parts);
    try {
      await child.reaches('cgroup');
      cgroup.add(child.pid);
      await child.reaches('joined');
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
    const { nobody, target, types } = await ordinary();
    const { pid } = await judge.join(nobody, target, { parts });
    for (const type of types)
      sameNamespace(pid, target.pid, judge.procNames[type]!, 'the program, which should be in that of the container');
  });

  test('task 3: in a joined user namespace the program is its root', async () => {
    judge.needManyIds(subject);
    const first = draw.int(1000, 2000);
    const mappings = [{ containerID: 0, hostID: first, size: 10 }];
    const target = await judge.container(subject, {
      namespaces: [{ type: 'user' }, ...judge.everyNew],
      uidMappings: mappings,
      gidMappings: mappings,
    });
    const { pid } = await judge.join(subject, target, { parts });
    const base = idMap(subject.pid, 'uid')[0]!.hostID;
    expect(status(pid).Uid?.split(/\s+/), 'its four uids on the host').toEqual(Array(4).fill(String(base + first)));
    expect(status(pid).Gid?.split(/\s+/), 'its four gids on the host').toEqual(Array(4).fill(String(base + first)));
  });

  test('task 3: the child stays undumpable until it has become its program', async () => {
    const { nobody, target, base } = await ordinary();
    const child = await judge.joinInSteps(nobody, target, parts);
    try {
      await child.reaches('cgroup');
      expectUndumpable(child.pid, base, 'joinContainer calls enterCgroup');
      await child.reaches('joined');
      expectUndumpable(child.pid, base, 'joinContainer has returned');
      await child.finish();
    } finally {
      child.close();
    }
  });
});

describe('a terminal', () => {
  const someSize = () => ({ height: draw.int(2, 300), width: draw.int(301, 65535) });

  test("task 4: its streams are a terminal of the container's own devpts, and nothing else is open", async () => {
    const box = await container();
    const { pid } = await judge.join(subject, box, { parts: ['openTerminal'], terminal: someSize() });
    const tree = inside(box.pid);
    const streams = openDescriptors(pid);
    expect(Object.keys(streams), 'the descriptors that the program has').toEqual(['0', '1', '2']);
    const own = tree.list('/dev/pts').filter((name) => /^\d+$/.test(name));
    for (const fd of [0, 1, 2]) {
      const stream = statSync(`/proc/${pid}/fd/${fd}`);
      const found = own.map((name) => tree.stat(`/dev/pts/${name}`)).find(({ ino }) => ino === stream.ino);
      if (found?.dev !== stream.dev)
        throw new Error(
          `Descriptor ${fd} of the program should be a terminal of the container's /dev/pts; it is ${streams[fd]}.`,
        );
    }
  });

  test('task 4: both ends of a terminal are closed by exec', async () => {
    const ends = (await subject.call('openTerminalHere')) as Record<string, number>;
    expect(ends, 'what openTerminal returns').toEqual({ master: expect.any(Number), slave: expect.any(Number) });
    const { master, slave } = ends;
    const open = openDescriptors(subject.pid);
    expect(open[master!], `what descriptor ${master}, the master, is`).toMatch(/\/ptmx$/);
    expect(open[slave!], `what descriptor ${slave}, the slave, is`).toMatch(/\/\d+$/);
    const program = openDescriptors(await judge.afterExec(subject));
    for (const [name, fd] of Object.entries({ master, slave }))
      expect(program[fd!] ?? 'closed', `descriptor ${fd}, the ${name}, in a program after its exec`).toBe('closed');
  });

  test('task 4: it leads a session, whose terminal it is, and is in the foreground', async () => {
    const { pid } = await judge.join(subject, await container(), { parts: ['leadSession'], terminal: someSize() });
    const { rdev } = statSync(`/proc/${pid}/fd/0`);
    expect(judge.sessionOf(pid), `/proc/${pid}/stat of the program`).toEqual({
      session: pid,
      group: pid,
      terminal: judge.packed(rdev),
      foreground: pid,
    });
  });

  test('task 4: a ctrl-c that is typed ends the program', async () => {
    const box = await container();
    const { pid, master } = await judge.join(subject, box, { parts: ['leadSession'], terminal: someSize() });
    expect(isRunning(pid)).toBe(true);
    await subject.call('type', master, '\u0003');
    await eventually(() => !isRunning(pid) || null, 'ctrl-c was typed, and the program did not hear of it.', 5_000);
  });

  test('task 4: without a terminal it leads a session all the same', async () => {
    const { pid } = await judge.join(subject, await container(), { parts: ['leadSession'] });
    expect(judge.sessionOf(pid), `/proc/${pid}/stat of the program`).toMatchObject({
      session: pid,
      group: pid,
      terminal: 0,
    });
  });

  test('task 4: a symbolic link in the place of ptmx is not followed', async () => {
    expect(await subject.call('openTerminalHere')).toMatchObject({ master: expect.any(Number) });
    for (const target of draw.some(['/dev/pts/ptmx', 'real/ptmx'])) {
      const name = nonce();
      const directory = `${subject.outsidePath(subject.scratch)}/${name}`;
      for (const each of [directory, `${directory}/real`]) {
        mkdirSync(each);
        chmodSync(each, 0o777);
      }
      const outcome = await subject.call('openTerminalBehindLink', `${subject.scratch}/${name}`, target).then(
        () => `openTerminal followed the link "ptmx", which leads to ${target}; it should throw.`,
        (error: Error) => (error.name === 'NotImplemented' ? error.message : null),
      );
      if (outcome !== null) throw new Error(outcome);
    }
  });

  test('task 5: the terminal has its size before the program runs', async () => {
    const terminal = someSize();
    const { pid } = await judge.join(subject, await container(), { parts: ['openTerminal'], terminal });
    expect(judge.terminalSize(pid), 'the size of the terminal that is the standard input').toEqual(terminal);
  });

  test('task 5: a new size reaches the program as SIGWINCH', async () => {
    const secret = String(draw.int(400, 4000));
    const script = `trap 'exec ${subject.rootfs}/bin/sleep ${secret}' WINCH; read line; read line`;
    const args = judge.shell(subject, script);
    const box = await container();
    const { pid, master } = await judge.join(subject, box, { parts: [], terminal: someSize(), args, program: 'sh' });
    await eventually(() => caughtWinch(pid) || null, 'The program should wait for SIGWINCH.', 10_000);
    const size = { height: Number(secret), width: draw.int(1, 65535) };
    await subject.call('resizeTerminal', master, size);
    expect(judge.terminalSize(pid), 'the size of the terminal').toEqual(size);
    await eventually(
      () => (isRunning(pid) && cmdline(pid).at(-1) === secret) || null,
      'The size changed, and the program was not told.',
      10_000,
    );
  });
});

/** Whether a handler stands for SIGWINCH (28). */
function caughtWinch(pid: number): boolean {
  return (BigInt(`0x${status(pid).SigCgt}`) & (1n << 27n)) !== 0n;
}

describe('detach keys', () => {
  const bytes = (text: string) => [...Buffer.from(text, 'latin1')];

  interface Typed {
    keys: string;
    chunks: string[];
  }

  /** Every piece of the answers is the one right one: what passes is decided as soon as it can be. */
  async function check(...typed: Typed[]): Promise<void> {
    const request = typed.map(({ keys, chunks }) => ({ keys: bytes(keys), chunks: chunks.map(bytes) }));
    const answers = (await subject.call('scan', request)) as { passed: number[]; detached: boolean }[][];
    for (const [index, { keys, chunks }] of typed.entries()) {
      const found = answers[index]!.map(({ passed, detached }) => ({
        passed: Buffer.from(passed).toString('latin1'),
        detached,
      }));
      expect(found, `keys ${JSON.stringify(keys)}, typed in the pieces ${JSON.stringify(chunks)}`).toEqual(
        judge.scanned(keys, chunks),
      );
    }
  }

  /** Some text without any of the bytes. */
  const textWithout = (bytes: string) =>
    Array.from({ length: draw.int(3, 12) }, () => String.fromCharCode(draw.int(32, 255)))
      .filter((letter) => !bytes.includes(letter))
      .join('');

  /** As many different bytes. */
  const someKeys = (count: number) =>
    draw
      .some([...Array(32).keys()], count)
      .map((byte) => String.fromCharCode(byte))
      .join('');

  function torn(text: string, most = 3): string[] {
    const pieces: string[] = [];
    for (let at = 0; at < text.length; ) {
      const length = draw.int(0, most);
      pieces.push(text.slice(at, at + length));
      at += length;
    }
    return pieces;
  }

  test('task 6: input before the keys is passed on, the keys and all input after them are not', async () => {
    for (const count of [1, 2, 3, 8]) {
      const keys = someKeys(count);
      const [before, after] = [textWithout(keys), textWithout(keys)];
      await check({ keys, chunks: [`${before}${keys}${after}`, after, keys, ''] });
      await check({ keys, chunks: [before, after, `${keys}${keys}`] });
    }
  });

  test('task 6: the keys are found wherever the input is cut', async () => {
    const keys = someKeys(draw.int(2, 4));
    const typed = `${textWithout(keys)}${keys}${textWithout(keys)}`;
    const halves = Array.from(typed, (_, cut) => ({ keys, chunks: [typed.slice(0, cut), typed.slice(cut)] }));
    await check(...halves, { keys, chunks: [...typed] }, { keys, chunks: torn(typed) });
  });

  test('task 6: a false start of the keys is passed on whole', async () => {
    const keys = someKeys(3);
    const [first, second] = [keys[0]!, keys[1]!];
    const text = () => textWithout(keys);
    const started = [`${text()}${first}`, `${text()}${first}${second}`, `${second}${text()}`, `${keys[2]}`, text()];
    await check({ keys, chunks: [...draw.some(started), text()] });
    await check({ keys, chunks: [first, second, first, second, `${text()}${first}`, text()] });
    await check({ keys, chunks: draw.some(started).join('').split('').concat(text()) });
  });

  test('task 6: input is held back only while it may become the keys', async () => {
    const keys = someKeys(3);
    const [first, second] = [keys[0]!, keys[1]!];
    const [before, after] = [textWithout(keys), textWithout(keys)];
    await check({ keys, chunks: [`${before}${first}`, second, after, `${first}${second}${first}`, after] });
    await check({ keys: keys.slice(0, 2), chunks: [`${before}${first}`, first, first, after] });
    await check({ keys: keys[0]!, chunks: [before, after, `${before}${first}`] });
  });

  test('task 6: keys that begin inside a false start are found', async () => {
    const [a, b, c] = someKeys(3);
    const cases = [`${a}${b}`, `${a}${a}${b}`, `${a}${b}${a}${c}`, `${a}${b}${a}${b}${b}`, `${a}${a}${a}`];
    const text = textWithout(`${a}${b}${c}`);
    const typed = cases.flatMap((keys) => {
      const starts = [keys.slice(0, -1), keys.slice(0, 1), keys.slice(0, 2)].map((start) => `${text}${start}${keys}`);
      const mixed = Array.from({ length: 12 }, () => draw.pick([a!, a!, b!, c!])).join('');
      return [...starts, mixed, `${mixed}${keys}`].map((all) => ({ keys, chunks: torn(all) }));
    });
    await check(...typed);
  });
});
