import { randomInt } from 'node:crypto';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { descendants, eventually, namespaceInode, nonce, status } from '../../grader/harness/evidence.ts';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from '../../grader/harness/files.ts';
import { openSubject, type Subject, unsupported } from '../../grader/harness/suite.ts';

/** One subject serves the whole suite; when a test has ended it, the next test gets a new one. */
let subject: Subject | undefined;
beforeEach(async () => {
  subject ??= await openSubject();
});
afterEach(async ({ task }) => {
  if (task.result?.errors?.some(({ name }) => name === 'SubjectDied' || name === 'SubjectTimeout')) await end();
});
afterAll(end);

async function end(): Promise<void> {
  const ending = subject;
  subject = undefined;
  await ending?.[Symbol.asyncDispose]();
}

const names = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'] as const;

function call<T = Record<string, unknown>>(name: string, ...args: unknown[]): Promise<T> {
  return subject!.call(name, ...args) as Promise<T>;
}

/** The message of the error that a call is to end in. */
async function refusal(name: string, ...args: unknown[]): Promise<string> {
  const outcome = await call<unknown>(name, ...args).catch((error: Error) => error);
  if (!(outcome instanceof Error))
    throw new Error(`${name}(${JSON.stringify(args[0])}) should throw; it answered ${JSON.stringify(outcome)}.`);
  if (outcome.name === 'NotImplemented') throw outcome;
  return outcome.message;
}

/** Like the kernel's, of which the initial ones begin at 0xeffffff8, and beyond what fits into 31 bits. */
function randomInode(): number {
  return randomInt(2 ** 31, 2 ** 32);
}

function randomNamespaces(): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, randomInode()]));
}

interface Made {
  pid: number;
  /** As the subject sees it. */
  proc: string;
  namespaces: Record<string, number>;
  cgroup: string;
}

/** A directory that looks like procfs with one process in it, whose memberships nobody can guess. */
async function makeProcess({ without = [] as string[], extra = {} as Record<string, string> } = {}): Promise<Made> {
  const { inside, outside } = await subject!.workDir();
  const pid = randomInt(2, 2 ** 22);
  const namespaces = randomNamespaces();
  for (const name of without) delete namespaces[name];
  mkdirSync(`${outside}/${pid}/ns`, { recursive: true });
  for (const [name, inode] of Object.entries(namespaces))
    symlinkSync(`${name}:[${inode}]`, `${outside}/${pid}/ns/${name}`);
  for (const [name, target] of Object.entries(extra)) symlinkSync(target, `${outside}/${pid}/ns/${name}`);
  const cgroup = nonce();
  writeFileSync(`${outside}/${pid}/cgroup`, `3:cpu,cpuacct:/v1/${cgroup}\n0::/v2/${cgroup}\n`);
  return { pid, proc: inside, namespaces, cgroup };
}

/** The kernel's own links of a process, as the judge reads them. */
function kernelsAnswer(pid: number): Record<string, number> {
  const present = readdirSync(`/proc/${pid}/ns`).filter((name) => !name.endsWith('_for_children'));
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

describe('the links', () => {
  test('task 1: a namespace link is a name and an inode number', async () => {
    for (const name of names) {
      const inode = randomInode();
      expect(await call('parseNamespaceLink', `${name}:[${inode}]`)).toEqual({ name, inode });
    }
  });

  test('task 1: anything else is refused, and the error quotes it', async () => {
    const wrong = ['pid', 'pid:', 'pid:[]', 'pid:[4026531836', 'pid:4026531836', ':[4026531836]', '/dev/null'];
    wrong.push('pid:[4026531836] ', 'x pid:[4026531836]', 'pid:[-1]', 'pid:[0x10]', 'pid:[1e3]', 'pid:[1][2]');
    for (const link of wrong) {
      expect(await refusal('parseNamespaceLink', link), `the error for ${JSON.stringify(link)}`).toContain(link);
    }
  });
});

describe('the cgroup file', () => {
  test('task 2: a version 1 line has a number, its controllers and a path', async () => {
    const group = nonce();
    expect(await call('parseCgroupFile', `12:memory:/a/${group}\n4:cpu,cpuacct:/b\n1:name=systemd:/\n`)).toEqual([
      { hierarchy: 12, controllers: ['memory'], path: `/a/${group}` },
      { hierarchy: 4, controllers: ['cpu', 'cpuacct'], path: '/b' },
      { hierarchy: 1, controllers: ['name=systemd'], path: '/' },
    ]);
  });

  test('task 2: the version 2 line has hierarchy 0 and no controllers', async () => {
    const path = `/user.slice/${nonce()}`;
    expect(await call('parseCgroupFile', `0::${path}\n`)).toEqual([{ hierarchy: 0, controllers: [], path }]);
  });

  test('task 2: a path keeps its colons, blanks and equals signs', async () => {
    const paths = [`/a:b:${nonce()}`, '/::', '/with two  blanks ', '/key=value,other:x', '/gone (deleted)'];
    const text = paths.map((path, index) => `${index}:${index ? 'pids' : ''}:${path}\n`).join('');
    expect(await call<{ path: string }[]>('parseCgroupFile', text)).toMatchObject(paths.map((path) => ({ path })));
  });

  test('task 2: the lines stay in the order of the file, and no text is no cgroup', async () => {
    const order = [7, 0, 11, 2];
    const text = order.map((hierarchy) => `${hierarchy}:${hierarchy === 0 ? '' : `c${hierarchy}`}:/`).join('\n');
    const lines = await call<{ hierarchy: number }[]>('parseCgroupFile', `${text}\n`);
    expect(lines.map(({ hierarchy }) => hierarchy)).toEqual(order);
    expect(await call('parseCgroupFile', text), 'the same without a newline at the end').toEqual(lines);
    expect(await call('parseCgroupFile', '')).toEqual([]);
  });
});

describe('a process', () => {
  test('task 3: the namespaces are those of the process that was asked about', async () => {
    const { pid, proc, namespaces } = await makeProcess();
    expect((await call('membershipOf', pid, proc)).namespaces).toEqual(namespaces);
  });

  test('task 3: a link that speaks of future children does not count', async () => {
    const extra = { pid_for_children: `pid:[${randomInode()}]`, time_for_children: `time:[${randomInode()}]` };
    const { pid, proc, namespaces } = await makeProcess({ extra });
    expect((await call('membershipOf', pid, proc)).namespaces).toEqual(namespaces);
  });

  test('task 3: a namespace this kernel does not have is absent', async () => {
    const { pid, proc, namespaces } = await makeProcess({ without: ['time', 'cgroup'] });
    const answer = (await call('membershipOf', pid, proc)).namespaces as object;
    expect(Object.keys(answer).sort(), 'which namespaces are told').toEqual(Object.keys(namespaces).sort());
  });

  test('task 3: the cgroups are those of the process that was asked about', async () => {
    const { pid, proc, cgroup } = await makeProcess();
    expect((await call('membershipOf', pid, proc)).cgroups).toEqual([
      { hierarchy: 3, controllers: ['cpu', 'cpuacct'], path: `/v1/${cgroup}` },
      { hierarchy: 0, controllers: [], path: `/v2/${cgroup}` },
    ]);
  });

  test('task 3: a pid without a process is an error that names it', async () => {
    const { pid, proc } = await makeProcess();
    const missing = pid === 2 ** 22 ? pid - 1 : pid + 1;
    expect(await refusal('membershipOf', missing, proc)).toMatch(new RegExp(`\\b${missing}\\b`));
  });

  test('task 3: it agrees with the kernel about a living process', async () => {
    needLinux();
    const answer = await call<{ namespaces: object; cgroups: { hierarchy: number; path: string }[] }>(
      'membershipOf',
      innermostPid(subject!.pid),
    );
    expect(answer.namespaces).toEqual(kernelsAnswer(subject!.pid));
    const lines = readFileSync(`/proc/${subject!.pid}/cgroup`, 'utf8').trim().split('\n');
    expect(answer.cgroups.map(({ hierarchy }) => String(hierarchy))).toEqual(lines.map((line) => line.split(':')[0]));
    // A process in a cgroup namespace sees its path from there on, the judge sees it from the top.
    for (const [index, { path }] of answer.cgroups.entries()) {
      expect(path === '/' || lines[index]!.endsWith(path), `${lines[index]} should end in ${path}`).toBe(true);
    }
  });
});

describe('two processes', () => {
  test('task 4: processes that share every namespace are not separated', async () => {
    const namespaces = randomNamespaces();
    const shuffled = Object.fromEntries(Object.entries(namespaces).reverse());
    const answer = await call('separatedBy', { namespaces, cgroups: [] }, { namespaces: shuffled, cgroups: [] });
    expect(answer).toEqual([]);
  });

  test('task 4: the namespaces that differ are named, in alphabetical order', async () => {
    const a = randomNamespaces();
    const differing = names.filter(() => randomInt(2) === 1);
    if (differing.length < 2) differing.splice(0, differing.length, 'net', 'uts', 'mnt');
    const b = Object.fromEntries(
      Object.entries(a)
        .reverse()
        .map(([name, inode]) => [name, differing.includes(name as 'pid') ? inode - 1 : inode]),
    );
    const answer = await call('separatedBy', { namespaces: b, cgroups: [] }, { namespaces: a, cgroups: [] });
    expect(answer).toEqual([...differing].sort());
  });

  test('task 4: a namespace that only one of them has is not shared', async () => {
    const [older, newer] = [
      { pid: 1, uts: 2 },
      { pid: 1, time: 3, uts: 2 },
    ].map((namespaces) => ({
      namespaces,
      cgroups: [],
    }));
    expect(await call('separatedBy', older, newer)).toEqual(['time']);
    expect(await call('separatedBy', newer, older)).toEqual(['time']);
  });

  test('task 4: cgroups separate nobody', async () => {
    const namespaces = randomNamespaces();
    const cgroups = [{ hierarchy: 0, controllers: [], path: '/elsewhere' }];
    expect(await call('separatedBy', { namespaces, cgroups }, { namespaces, cgroups: [] })).toEqual([]);
  });

  test('task 4: a process in namespaces of its own is told apart from its parent', async () => {
    needLinux();
    const inner = await call<number>('startNeighbour').catch((error: { code?: string }) => {
      if (error.code === 'EPERM') return unsupported('No process may have namespaces of its own here.');
      throw error;
    });
    const neighbour = await eventually(
      () => descendants(subject!.pid).find((pid) => innermostPid(pid) === inner) ?? null,
      `The driver says it started process ${inner}, but the subject has no such child.`,
    );
    const [own, other] = [kernelsAnswer(subject!.pid), kernelsAnswer(neighbour)];
    const truth = Object.keys(own).filter((name) => own[name] !== other[name]);
    expect(truth, 'what the driver made').toContain('uts');
    expect(namespaceInode(neighbour, 'uts')).not.toBe(namespaceInode(subject!.pid, 'uts'));
    const memberships = [await call('membershipOf', innermostPid(subject!.pid)), await call('membershipOf', inner)];
    expect(await call('separatedBy', ...memberships)).toEqual(truth.sort());
  });
});
