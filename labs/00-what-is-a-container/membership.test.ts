import { spawnSync } from 'node:child_process';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { descendants, eventually, namespaceInode, nonce, status } from '../../grader/harness/evidence.ts';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from '../../grader/harness/files.ts';
import { draw } from '../../grader/harness/random.ts';
import { openSubject, type Subject, unsupported } from '../../grader/harness/suite.ts';

let subject: Subject;
beforeAll(async () => {
  subject = await openSubject();
});
afterAll(async () => {
  await subject?.[Symbol.asyncDispose]();
});

const names = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'] as const;
const controllerNames = ['memory', 'cpu', 'cpuacct', 'cpuset', 'pids', 'freezer', 'blkio', 'devices', 'net_cls'];
const forChildren = ['pid_for_children', 'time_for_children'];

interface Line {
  hierarchy: number;
  controllers: string[];
  path: string;
}

interface Membership {
  namespaces: Record<string, number>;
  cgroups: Line[];
}

function call<T = unknown>(name: string, ...args: unknown[]): Promise<T> {
  return subject.call(name, ...args) as Promise<T>;
}

/** The message of the error that a call is to end in. */
async function refusal(name: string, ...args: unknown[]): Promise<string> {
  const outcome = await call<unknown>(name, ...args).catch((error: Error) => error);
  if (!(outcome instanceof Error))
    throw new Error(
      `${name}(${JSON.stringify(args[0])}) should throw an Error; it answered ${JSON.stringify(outcome)}.`,
    );
  if (outcome.name === 'NotImplemented') throw outcome;
  return outcome.message;
}

/** Control characters may be quoted as they are, or visibly. */
function quotes(message: string, link: string): boolean {
  return [link, JSON.stringify(link).slice(1, -1), inspect(link).slice(1, -1)].some((text) => message.includes(text));
}

async function expectRefused(links: string[]): Promise<void> {
  for (const link of links) {
    const message = await refusal('parseNamespaceLink', link);
    if (!quotes(message, link))
      throw new Error(
        `The error for the link ${JSON.stringify(link)} should quote it; it is ${JSON.stringify(message)}.`,
      );
  }
}

/** Like the kernel's, of which the initial ones begin at 0xeffffff8, and beyond what fits into 31 bits. */
function someInode(): number {
  return draw.int(2 ** 31, 2 ** 32 - 1);
}

function someNamespaces(): Record<string, number> {
  const first = someInode() - names.length;
  return Object.fromEntries(draw.some(names).map((name, index) => [name, first + index]));
}

function somePath(): string {
  return `/${Array.from({ length: draw.int(1, 3) }, () => draw.word()).join('/')}`;
}

/** A line of a version 1 hierarchy. */
function someLine(hierarchy: number, controllers = draw.some(controllerNames, draw.int(1, 3))): Line {
  return { hierarchy, controllers, path: somePath() };
}

function textOf(lines: Line[]): string {
  return lines.map(({ hierarchy, controllers, path }) => `${hierarchy}:${controllers}:${path}\n`).join('');
}

interface Made extends Membership {
  pid: number;
}

/** A directory that looks like procfs, with processes in it whose memberships nobody can guess. */
async function makeProc(processes: Made[], extraLinks: (made: Made) => Record<string, string> = () => ({})) {
  const { inside, outside } = await subject.workDir();
  for (const made of processes) {
    const directory = `${outside}/${made.pid}`;
    mkdirSync(`${directory}/ns`, { recursive: true });
    const links = Object.entries(made.namespaces).map(([name, inode]) => [name, `${name}:[${inode}]`]);
    for (const [name, target] of [...links, ...Object.entries(extraLinks(made))])
      symlinkSync(target!, `${directory}/ns/${name}`);
    writeFileSync(`${directory}/cgroup`, textOf(made.cgroups));
  }
  return inside;
}

function someProcess(without: readonly string[] = []): Made {
  const namespaces = someNamespaces();
  for (const name of without) delete namespaces[name];
  const cgroups = [someLine(draw.int(2, 12)), { hierarchy: 0, controllers: [], path: `/${nonce()}` }];
  return { pid: draw.int(2, 2 ** 22 - 2), namespaces, cgroups };
}

/** Two with different pids. */
function twoProcesses(): [Made, Made] {
  const one = someProcess();
  return [one, { ...someProcess(), pid: one.pid + 1 }];
}

/** The kernel's own links of a process, as the judge reads them. */
function kernelsAnswer(pid: number): Record<string, number> {
  const present = names.filter((name) => existsSync(`/proc/${pid}/ns/${name}`));
  return Object.fromEntries(
    present.map((name) => [name, Number(readlinkSync(`/proc/${pid}/ns/${name}`).replace(/\D/g, ''))]),
  );
}

/** The pid by which a process knows itself. */
function innermostPid(pid: number): number {
  return Number(status(pid).NSpid!.split(/\s+/).at(-1));
}

function needLinux(): void {
  if (!existsSync('/proc/self/ns')) unsupported('There is no /proc/PID/ns here; this takes Linux.');
}

/** A sandbox has namespaces of its own already, and in one more can be made. Without one it takes root's rights. */
function canMakeNamespaces(): boolean {
  if (inject('skiffNoSandbox') === undefined) return true;
  return spawnSync('unshare', ['--uts', '--ipc', 'true']).status === 0;
}

/** A child of the subject that has a UTS and an IPC namespace of its own. */
async function startNeighbour(): Promise<number> {
  const inner = await call<number>('startNeighbour');
  return eventually(
    () => descendants(subject.pid).find((pid) => innermostPid(pid) === inner) ?? null,
    `The driver says that it started process ${inner}, but the subject has no such child.`,
  );
}

/** @throws Error when the answer about a living process is not the kernel's. */
async function expectTruth(pid: number): Promise<void> {
  const answer = await call<Membership>('membershipOf', innermostPid(pid));
  const where = `the namespaces of process ${innermostPid(pid)}, of which the kernel says in /proc/${pid}/ns`;
  const known = Object.entries(answer.namespaces).filter(([name]) => (names as readonly string[]).includes(name));
  expect(Object.fromEntries(known), where).toEqual(kernelsAnswer(pid));
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n');
  const fields = lines.map((line) => line.split(':'));
  expect(
    answer.cgroups.map(({ hierarchy, controllers }) => [String(hierarchy), controllers.join(',')]),
    `the hierarchies and controllers in /proc/${pid}/cgroup`,
  ).toEqual(fields.map(([hierarchy, controllers]) => [hierarchy, controllers]));
  // A process in a cgroup namespace sees its path from there on, the judge sees it from the top.
  for (const [index, { path }] of answer.cgroups.entries()) {
    const right = path === '/' || (path.startsWith('/') && lines[index]!.endsWith(path));
    if (!right)
      throw new Error(`"${lines[index]}" is a line of /proc/${pid}/cgroup; its path should not be "${path}".`);
  }
}

describe('the links', () => {
  test('task 1: a namespace link is a name and an inode number', async () => {
    for (const name of draw.some(names)) {
      const inode = draw.boolean() ? someInode() : draw.int(1, 2 ** 31);
      expect(await call('parseNamespaceLink', `${name}:[${inode}]`)).toEqual({ name, inode });
    }
    const inode = someInode();
    expect(await call('parseNamespaceLink', `net:[${inode}]`)).toEqual({ name: 'net', inode });
  });

  test('task 1: a link that lacks its name, a bracket or its digits is refused, and the error quotes it', async () => {
    const [name, inode] = [draw.pick(names), someInode()];
    expect(await call('parseNamespaceLink', `${name}:[${inode}]`)).toEqual({ name, inode });
    const incomplete = [name, `${name}:`, `${name}:[]`, `${name}:[${inode}`, `${name}:${inode}]`, `${name}:${inode}`];
    const others = [`:[${inode}]`, `[${inode}]`, `${name}[${inode}]`, `/dev/${draw.word()}`, `socket:${inode}`];
    const numbers = [`-${inode}`, `0x${inode}`, '1e3', `${inode}.5`, ` ${inode}`, `${inode} `, draw.word()];
    await expectRefused(draw.some([...incomplete, ...others, ...numbers.map((digits) => `${name}:[${digits}]`)]));
  });

  test('task 1: text before or after the link is refused, and the error quotes it', async () => {
    const [name, inode] = [draw.pick(names), someInode()];
    const link = `${name}:[${inode}]`;
    expect(await call('parseNamespaceLink', link)).toEqual({ name, inode });
    const before = [`${draw.word()} ${link}`, ` ${link}`, `/proc/self/ns/${link}`, `${draw.word()}\n${link}`];
    const after = [`${link} `, `${link}[${draw.int(1, 9)}]`, `${link}${draw.word()}`, `${link}\n`, `${link}\n${link}`];
    await expectRefused(draw.some([...before, ...after]));
  });
});

describe('the cgroup file', () => {
  test('task 2: a version 1 line has a number, its controllers and a path', async () => {
    const numbers = draw.some([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], 4);
    const counts = draw.some([1, 2, 3]);
    const lines = counts.map((count, index) => someLine(numbers[index]!, draw.some(controllerNames, count)));
    lines.push({ hierarchy: numbers[3]!, controllers: [`name=${draw.word()}`], path: '/' });
    expect(await call('parseCgroupFile', textOf(lines))).toEqual(lines);
  });

  test('task 2: the version 2 line has hierarchy 0 and no controllers', async () => {
    const line = { hierarchy: 0, controllers: [], path: somePath() };
    expect(await call('parseCgroupFile', textOf([line]))).toEqual([line]);
    const both = draw.some([line, someLine(1), someLine(2)]);
    expect(await call('parseCgroupFile', textOf(both))).toEqual(both);
  });

  test('task 2: a path keeps its colons, blanks and equals signs', async () => {
    const word = () => draw.word();
    const odd = [
      `/${word()}:${word()}:${word()}`,
      '/::',
      `/two  blanks ${word()} `,
      `/ ${word()}`,
      `/${word()}=${word()},${word()}:x`,
      `/${word()} (deleted)`,
      `/grün/${word()}`,
    ];
    const lines = draw.some(odd).map((path, index) => ({ ...someLine(index, index === 0 ? [] : undefined), path }));
    expect(await call('parseCgroupFile', textOf(lines))).toEqual(lines);
  });

  test('task 2: the lines stay in the order of the file, and an empty text has no cgroups', async () => {
    const [a, b, c, d] = [draw.int(1, 3), draw.int(4, 6), draw.int(7, 9), draw.int(10, 12)];
    // Neither rising nor falling, since the middle one is the first.
    const lines = [b, ...draw.some([0, a, c, d])].map((number) => someLine(number, number === 0 ? [] : undefined));
    expect(await call('parseCgroupFile', textOf(lines))).toEqual(lines);
    const short = textOf(lines).slice(0, -1);
    expect(await call('parseCgroupFile', short), 'the same text without a newline at its end').toEqual(lines);
    expect(await call('parseCgroupFile', ''), 'an empty text').toEqual([]);
  });
});

describe('a process', () => {
  test('task 3: the namespaces are those of the process that was asked about', async () => {
    const both = twoProcesses();
    const proc = await makeProc(both);
    for (const { pid, namespaces } of draw.some(both))
      expect((await call<Membership>('membershipOf', pid, proc)).namespaces).toEqual(namespaces);
  });

  test('task 3: a link about future children does not count', async () => {
    const made = someProcess();
    const proc = await makeProc([made], () =>
      Object.fromEntries(forChildren.map((name) => [name, `${name.split('_')[0]}:[${someInode()}]`])),
    );
    expect((await call<Membership>('membershipOf', made.pid, proc)).namespaces).toEqual(made.namespaces);
  });

  test('task 3: a namespace this kernel does not have is absent', async () => {
    const made = someProcess(draw.some(names, draw.int(1, 3)));
    const proc = await makeProc([made]);
    expect((await call<Membership>('membershipOf', made.pid, proc)).namespaces).toEqual(made.namespaces);
  });

  test('task 3: the cgroups are those of the process that was asked about', async () => {
    const both = twoProcesses();
    const proc = await makeProc(both);
    for (const { pid, cgroups } of draw.some(both))
      expect((await call<Membership>('membershipOf', pid, proc)).cgroups).toEqual(cgroups);
  });

  test('task 3: a pid without a process is an error that names the pid', async () => {
    const made = someProcess();
    const proc = await makeProc([made]);
    expect((await call<Membership>('membershipOf', made.pid, proc)).namespaces).toEqual(made.namespaces);
    const missing = made.pid + 1;
    expect(await refusal('membershipOf', missing, proc)).toMatch(new RegExp(`\\b${missing}\\b`));
  });

  test('task 3: it agrees with the kernel about living processes', async () => {
    needLinux();
    await expectTruth(subject.pid);
    if (canMakeNamespaces()) await expectTruth(await startNeighbour());
  });
});

describe('two processes', () => {
  /** Those namespaces of `a` differ that are named; the keys stand in another order. */
  function changed(a: Record<string, number>, differing: readonly string[]): Record<string, number> {
    const entries = Object.entries(a).map(([name, inode]): [string, number] => [
      name,
      differing.includes(name) ? inode - names.length : inode,
    ]);
    return Object.fromEntries(draw.some(entries));
  }

  const separatedBy = (a: Record<string, number>, b: Record<string, number>, ofA: Line[] = [], ofB: Line[] = []) =>
    call('separatedBy', { namespaces: a, cgroups: ofA }, { namespaces: b, cgroups: ofB });

  test('task 4: processes that share every namespace are not separated', async () => {
    const namespaces = someNamespaces();
    const differing = draw.pick(names);
    expect(await separatedBy(namespaces, changed(namespaces, [differing]))).toEqual([differing]);
    expect(await separatedBy(namespaces, changed(namespaces, []))).toEqual([]);
  });

  test('task 4: the namespaces that differ are named, in alphabetical order', async () => {
    for (const name of draw.some(names)) {
      const a = someNamespaces();
      expect(await separatedBy(a, changed(a, [name]))).toEqual([name]);
    }
    for (const count of [names.length, draw.int(3, 5), 3]) {
      const a = someNamespaces();
      const differing = draw.some(names, count);
      expect(await separatedBy(changed(a, differing), a)).toEqual(differing.sort());
    }
  });

  test('task 4: a namespace that only one of them has is not shared', async () => {
    const newer = someNamespaces();
    const missing = draw.some(names, draw.int(1, 3));
    const older = Object.fromEntries(Object.entries(newer).filter(([name]) => !missing.includes(name as 'pid')));
    expect(await separatedBy(older, newer)).toEqual([...missing].sort());
    expect(await separatedBy(newer, older)).toEqual([...missing].sort());
  });

  test('task 4: different cgroups separate no processes', async () => {
    const a = someNamespaces();
    const [ofA, ofB] = [[someLine(4), someLine(2)], [someLine(4)]];
    const differing = draw.pick(['ipc', 'mnt', 'net', 'pid', 'uts']);
    expect(await separatedBy(a, changed(a, [differing]), ofA, ofB)).toEqual([differing]);
    expect(await separatedBy(a, changed(a, []), ofA, ofB)).toEqual([]);
  });

  test('task 4: a process in namespaces of its own is told apart from its parent', async () => {
    needLinux();
    if (!canMakeNamespaces()) unsupported('No process may have namespaces of its own here.');
    const neighbour = await startNeighbour();
    const [own, other] = [kernelsAnswer(subject.pid), kernelsAnswer(neighbour)];
    expect(namespaceInode(neighbour, 'uts'), 'the UTS namespace that the driver made').not.toBe(own.uts);
    const truth = Object.keys(own).filter((name) => own[name] !== other[name]);
    expect(await separatedBy(own, other), 'what separates the two, by /proc/PID/ns of both').toEqual(truth.sort());
  });
});
