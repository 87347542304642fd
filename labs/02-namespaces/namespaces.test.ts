import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { idMap, namespaceInode, nonce, processWithNonce, status } from '../../grader/harness/evidence.ts';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from '../../grader/harness/files.ts';
import { openSubject, type Subject, unsupported } from '../../grader/harness/suite.ts';

let subject: Subject;
beforeAll(async () => {
  subject = await openSubject();
});
afterAll(async () => {
  await subject?.[Symbol.asyncDispose]();
});

type Request = Record<string, unknown> & { namespaces: { type: string; path?: string }[] };

/** Start a sleeper and find it by its nonce. @returns its pid as the judge and as the subject sees it. */
async function start(request: Request, from = subject): Promise<{ pid: number; inside: number }> {
  const mark = nonce();
  const inside = (await from.call('startContainer', {
    args: [`${from.rootfs}/bin/busybox`, 'sleep', '1000'],
    env: [`SKIFF_NONCE=${mark}`],
    ...request,
  })) as number;
  return { pid: await processWithNonce(from, mark), inside };
}

/** Run a program of the host inside one namespace of process `pid`: the kernel's answer, not the subject's. */
function seenFrom(pid: number, kind: 'uts' | 'net' | 'cgroup', ...command: string[]): string {
  return execFileSync('nsenter', [`--${kind}=/proc/${pid}/ns/${kind}`, ...command], { encoding: 'utf8' }).trim();
}

const everyNew = ['pid', 'mount', 'uts', 'ipc', 'network'].map((type) => ({ type }));
const procNames: Record<string, string> = {
  pid: 'pid',
  mount: 'mnt',
  uts: 'uts',
  ipc: 'ipc',
  network: 'net',
  user: 'user',
};

describe('which namespaces', () => {
  test('task 1: every namespace asked for is a new one', async () => {
    const { pid } = await start({ namespaces: everyNew });
    for (const { type } of everyNew) {
      const name = procNames[type]!;
      expect(
        namespaceInode(pid, name),
        `the ${type} namespace of the program is the subject's own: it is shared`,
      ).not.toBe(namespaceInode(subject.pid, name));
    }
    expect(status(pid).NSpid?.split(/\s+/).at(-1), 'the pid inside the new PID namespace').toBe('1');
  });

  test('task 1: a namespace that was not asked for stays shared', async () => {
    const { pid } = await start({ namespaces: [{ type: 'uts' }] });
    for (const name of ['pid', 'mnt', 'ipc', 'net', 'user', 'cgroup']) {
      expect(namespaceInode(pid, name), `nobody asked for a new ${name} namespace`).toBe(
        namespaceInode(subject.pid, name),
      );
    }
    expect(namespaceInode(pid, 'uts')).not.toBe(namespaceInode(subject.pid, 'uts'));
  });

  test('task 1: a namespace with a path is not made anew', async () => {
    const first = await start({ namespaces: everyNew });
    const second = await start({
      namespaces: [{ type: 'network', path: `/proc/${first.inside}/ns/net` }, { type: 'uts' }],
    });
    expect(namespaceInode(second.pid, 'net'), 'the second program should sit in the network of the first').toBe(
      namespaceInode(first.pid, 'net'),
    );
    const made = (await subject.call('cloneFlags', [{ type: 'network', path: '/proc/1/ns/net' }])) as bigint;
    expect(made, 'CLONE_NEWNET makes a namespace that setns leaves at once').toBe(0n);
  });

  test('task 1: an unknown or repeated type is refused by name', async () => {
    await expect(subject.call('cloneFlags', [{ type: 'planet' }])).rejects.toThrow(/planet/);
    await expect(subject.call('cloneFlags', [{ type: 'toString' }])).rejects.toThrow(/toString/);
    await expect(subject.call('cloneFlags', [{ type: 'uts' }, { type: 'pid' }, { type: 'uts' }])).rejects.toThrow(
      /uts/,
    );
  });
});

describe('identities', () => {
  const uidMappings = [
    { containerID: 0, hostID: 1000, size: 10 },
    { containerID: 10, hostID: 3000, size: 5 },
  ];
  const gidMappings = [{ containerID: 0, hostID: 2000, size: 7 }];
  const namespaces = [{ type: 'user' }, { type: 'uts' }];

  /** An ordinary user without subordinate ids has a sandbox of one id, in which no second one can be mapped. */
  function needManyIds(): void {
    const ids = idMap(subject.pid, 'uid').reduce((sum, { size }) => sum + size, 0);
    if (ids < 4096)
      unsupported(`this sandbox has ${ids} user id(s); install uidmap and give yourself a range in /etc/subuid`);
  }

  test('task 2: the ids of the container are mapped as asked', async () => {
    needManyIds();
    const { pid } = await start({ namespaces, uidMappings, gidMappings });
    // The judge reads the map from the host, so every id is shifted by where the sandbox itself is mapped to.
    const base = idMap(subject.pid, 'uid')[0]!.hostID;
    expect(idMap(pid, 'uid')).toEqual(uidMappings.map((mapping) => ({ ...mapping, hostID: base + mapping.hostID })));
    expect(idMap(pid, 'gid')).toEqual(gidMappings.map((mapping) => ({ ...mapping, hostID: base + mapping.hostID })));
  });

  test('task 2: setgroups is denied only where the kernel insists', async () => {
    needManyIds();
    const { pid } = await start({ namespaces, uidMappings, gidMappings });
    expect(readFileSync(`/proc/${pid}/setgroups`, 'utf8').trim(), 'root may keep setgroups').toBe('allow');
    await using nobody = await openSubject({ uid: 'nobody' });
    const own = [{ containerID: 0, hostID: 65534, size: 1 }];
    const child = await start({ namespaces, uidMappings: own, gidMappings: own }, nobody);
    expect(readFileSync(`/proc/${child.pid}/setgroups`, 'utf8').trim(), 'without CAP_SETGID it must go').toBe('deny');
    expect(idMap(child.pid, 'gid')).toHaveLength(1);
  });

  test('task 2: a mapping that the kernel refuses is an error that names the file', async () => {
    needManyIds();
    const overlapping = [uidMappings[0], { containerID: 5, hostID: 9000, size: 5 }];
    await expect(
      subject.call('prepareContainer', {
        args: ['/bin/true'],
        env: [],
        namespaces,
        uidMappings: overlapping,
        gidMappings,
      }),
    ).rejects.toThrow(/uid_map/);
  });

  test('task 3: the child is root of its new user namespace', async () => {
    needManyIds();
    const { pid } = await start({ namespaces, uidMappings, gidMappings });
    const base = idMap(subject.pid, 'uid')[0]!.hostID;
    expect(status(pid).Uid?.split(/\s+/), 'real, effective, saved and file-system uid on the host').toEqual(
      Array(4).fill(String(base + 1000)),
    );
    expect(status(pid).Gid?.split(/\s+/)).toEqual(Array(4).fill(String(base + 2000)));
  });
});

describe('joining', () => {
  test('task 3: every namespace with a path is joined', async () => {
    const first = await start({ namespaces: everyNew, hostname: 'first' });
    const joined = ['mount', 'uts', 'ipc', 'network'];
    const second = await start({
      namespaces: joined.map((type) => ({ type, path: `/proc/${first.inside}/ns/${procNames[type]}` })),
    });
    for (const type of joined) {
      expect(namespaceInode(second.pid, procNames[type]!), `the ${type} namespace was not joined`).toBe(
        namespaceInode(first.pid, procNames[type]!),
      );
    }
  });

  test('task 3: a user namespace is joined before the others', async () => {
    await using nobody = await openSubject({ uid: 'nobody' });
    const own = [{ containerID: 0, hostID: 65534, size: 1 }];
    const first = await start(
      { namespaces: [{ type: 'user' }, { type: 'uts' }, { type: 'network' }], uidMappings: own, gidMappings: own },
      nobody,
    );
    const second = await start(
      {
        namespaces: ['uts', 'network', 'user'].map((type) => ({
          type,
          path: `/proc/${first.inside}/ns/${procNames[type]}`,
        })),
      },
      nobody,
    );
    for (const name of ['user', 'uts', 'net']) {
      expect(namespaceInode(second.pid, name), `the ${name} namespace was not joined`).toBe(
        namespaceInode(first.pid, name),
      );
    }
  });

  test("task 3: the cgroup namespace begins at the container's own cgroup", async () => {
    const own = await openSubject();
    const mark = nonce();
    const child = (await own.call('prepareContainer', {
      args: [`${own.rootfs}/bin/busybox`, 'sleep', '1000'],
      env: [`SKIFF_NONCE=${mark}`],
      namespaces: [{ type: 'cgroup' }],
    })) as number;
    const cgroup = makeCgroup(own, child);
    try {
      await own.call('letGo');
      const pid = await processWithNonce(own, mark);
      expect(namespaceInode(pid, 'cgroup')).not.toBe(namespaceInode(own.pid, 'cgroup'));
      const line = seenFrom(pid, 'cgroup', 'cat', `/proc/${pid}/cgroup`)
        .split('\n')
        .find((text) => text.startsWith(`${cgroup.hierarchy}:`));
      expect(line?.split(':').at(-1), 'the path of its own cgroup, as its cgroup namespace shows it').toBe('/');
    } finally {
      // Everything in the sandbox ends with it, and an empty cgroup can be removed.
      await own[Symbol.asyncDispose]();
      cgroup.remove();
    }
  });
});

/** What the engine does between fork and "go": a cgroup for the child, below the one it is in. */
function makeCgroup(from: Subject, inside: number): { hierarchy: string; remove: () => void } {
  const pid = hostPid(from, inside);
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n');
  const line = lines.find((text) => /:pids(,|:)/.test(text)) ?? lines.find((text) => text.startsWith('0::'));
  const [, hierarchy, controllers, path] = /^(\d+):([^:]*):(.*)$/.exec(line ?? '') ?? [];
  const root = controllers ? `/sys/fs/cgroup/${controllers}` : '/sys/fs/cgroup';
  const directory = `${root}${path}/of-the-child`;
  try {
    mkdirSync(directory);
    writeFileSync(`${directory}/cgroup.procs`, String(pid));
  } catch (error) {
    if (existsSync(directory)) rmdirSync(directory);
    unsupported(`no cgroup can be made below ${root}${path} here: ${(error as Error).message}`);
  }
  return { hierarchy: hierarchy!, remove: () => existsSync(directory) && rmdirSync(directory) };
}

/** The child of the subject that has pid `inside` in the subject's PID namespace. */
function hostPid(from: Subject, inside: number): number {
  const children = readFileSync(`/proc/${from.pid}/task/${from.pid}/children`, 'utf8').trim().split(' ').map(Number);
  const found = children.find((pid) => status(pid).NSpid?.split(/\s+/).at(-1) === String(inside));
  if (found === undefined) throw new Error(`The subject answered pid ${inside}, but no child of it has that pid.`);
  return found;
}

describe('a world to feel at home in', () => {
  test('task 4: host and domain name are those asked for, and only inside', async () => {
    const { pid } = await start({ namespaces: everyNew, hostname: 'wheelhouse', domainname: 'ship.example' });
    expect(seenFrom(pid, 'uts', 'uname', '-n')).toBe('wheelhouse');
    expect(seenFrom(pid, 'uts', 'cat', '/proc/sys/kernel/domainname')).toBe('ship.example');
    expect(seenFrom(subject.pid, 'uts', 'uname', '-n')).not.toBe('wheelhouse');
  });

  test('task 4: a joined UTS namespace keeps its name', async () => {
    const first = await start({ namespaces: everyNew, hostname: 'first' });
    await start({ namespaces: [{ type: 'uts', path: `/proc/${first.inside}/ns/uts` }], hostname: 'second' });
    expect(seenFrom(first.pid, 'uts', 'uname', '-n'), 'joining a container renamed it').toBe('first');
  });

  test('task 4: the loopback interface of a new network namespace is up', async () => {
    const { pid } = await start({ namespaces: everyNew });
    expect(
      readFileSync(`/proc/${pid}/net/fib_trie`, 'utf8'),
      'the kernel routes 127.0.0.1 only while lo is up',
    ).toContain('127.0.0.1');
  });
});
