import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  childOf,
  idMap,
  mountinfo,
  namespaceInode,
  nonce,
  openDescriptors,
  processWithNonce,
  status,
} from '../../grader/harness/evidence.ts';
import { readFileSync, statSync } from '../../grader/harness/files.ts';
import { draw } from '../../grader/harness/random.ts';
import { openSubject, type Subject } from '../../grader/harness/suite.ts';
import { sandboxIds } from '../../grader/harness/user-ids.ts';
import {
  everyNew,
  expectError,
  flags,
  itself,
  link,
  makeCgroup,
  names,
  needManyIds,
  procNames,
  seenFrom,
} from './namespaces.judge.ts';

let subject: Subject;
beforeAll(async () => {
  subject = await openSubject();
});
afterAll(async () => {
  await subject?.[Symbol.asyncDispose]();
});

type Request = Record<string, unknown> & { namespaces: { type: string; path?: string }[]; task: number };

const program = (from: Subject, mark: string) => ({
  args: [`${from.rootfs}/bin/sleep`, String(draw.int(1000, 9999))],
  env: [`SKIFF_NONCE=${mark}`],
});

/** Start a sleeper and find it by its nonce. @returns its pid as the judge and as the subject sees it. */
async function start(request: Request, from = subject): Promise<{ pid: number; inside: number }> {
  const mark = nonce();
  const inside = (await from.call('startContainer', {
    ...program(from, mark),
    ...request,
  })) as number;
  return { pid: await processWithNonce(from, mark, { program: 'sleep' }), inside };
}

const typesOfNew = () => draw.some(everyNew);
describe('which namespaces', () => {
  test('task 1: every namespace asked for is a new one', async () => {
    const { pid } = await start({ task: 1, namespaces: typesOfNew() });
    for (const { type } of everyNew) {
      const name = procNames[type]!;
      const words = `/proc/${pid}/ns/${name}, which is the subject's own: it is shared`;
      expect(namespaceInode(pid, name), words).not.toBe(namespaceInode(subject.pid, name));
    }
    expect(status(pid).NSpid?.split(/\s+/).at(-1), 'the pid inside the new PID namespace').toBe('1');
  });

  test('task 1: a namespace that was not asked for stays shared', async () => {
    const type = draw.pick(['uts', 'ipc', 'network']);
    const { pid } = await start({ task: 1, namespaces: [{ type }] });
    for (const [other, name] of Object.entries(procNames).filter(([each]) => each !== type))
      expect(namespaceInode(pid, name), `/proc/${pid}/ns/${name}: nobody asked for a new ${other} namespace`).toBe(
        namespaceInode(subject.pid, name),
      );
    const name = procNames[type]!;
    expect(namespaceInode(pid, name), `/proc/${pid}/ns/${name}`).not.toBe(namespaceInode(subject.pid, name));
  });

  test('task 1: a namespace with a path is not made anew, nor is the cgroup namespace', async () => {
    for (let round = 0; round < 8; round++) {
      const list = draw.some([...Object.keys(flags), 'cgroup'], draw.int(1, 7)).map((type) => ({
        type,
        ...(draw.boolean() ? { path: `/proc/${draw.int(2, 999)}/ns/${procNames[type]}` } : {}),
      }));
      const made = list.filter((each) => each.type !== 'cgroup' && !('path' in each)).map(({ type }) => type);
      const mask = (await subject.call('maskOf', list)) as bigint;
      expect(typeof mask, 'the type of what cloneFlags returned').toBe('bigint');
      expect(names(mask).sort(), `the flags for ${JSON.stringify(list)}`).toEqual(made.sort());
      expect(mask, 'all of the mask').toBe(made.reduce((sum, type) => sum | flags[type]!, 0n));
    }
    expect(await subject.call('maskOf', []), 'the flags for []').toBe(0n);
  });

  test('task 1: an unknown or repeated type is refused by name', async () => {
    for (const type of [draw.word(), 'toString', 'net', 'UTS'])
      await expectError(subject.call('maskOf', [{ type: 'pid' }, { type }]), `The type "${type}"`, type);
    const [twice, other] = draw.some(Object.keys(flags), 2) as [string, string];
    const [bare, joined] = [{ type: twice }, { type: twice, path: `/proc/${draw.int(2, 999)}/ns/${procNames[twice]}` }];
    for (const [first, second] of draw.some([
      [bare, bare],
      [bare, joined],
      [joined, bare],
      [joined, joined],
    ]))
      await expectError(
        subject.call('maskOf', [first, { type: other }, second]),
        `The list ${JSON.stringify([first, { type: other }, second])}`,
        twice,
      );
    expect(await subject.call('maskOf', [{ type: twice }]), `the flags for ${twice}`).toBe(flags[twice]);
  });
});

const CAP_SETGID = 1n << 6n;
const CAP_SETUID = 1n << 7n;
const CAP_NET_ADMIN = 1n << 12n;
const CAP_SYS_ADMIN = 1n << 21n;

describe('identities', () => {
  const drawMaps = () => {
    const [first, second] = [draw.int(5, 20), draw.int(1, 9)];
    const start = draw.int(500, 1500);
    return {
      uidMappings: [
        { containerID: 0, hostID: start, size: first },
        { containerID: first, hostID: start + 1000 + draw.int(30, 99), size: second },
      ],
      gidMappings: [{ containerID: 0, hostID: draw.int(2000, 3000), size: draw.int(1, 9) }],
    };
  };
  const namespaces = [{ type: 'user' }, { type: 'uts' }];

  test('task 2: the ids of the container are mapped as asked', async () => {
    needManyIds();
    const maps = drawMaps();
    const { pid } = await start({ task: 2, namespaces, ...maps });
    // The judge reads the map from the host, so every id is shifted by where the sandbox itself is mapped to.
    const base = idMap(subject.pid, 'uid')[0]!.hostID;
    const seen = (list: { hostID: number }[]) => list.map((each) => ({ ...each, hostID: base + each.hostID }));
    expect(idMap(pid, 'uid'), `/proc/${pid}/uid_map, with the ids of this machine`).toEqual(seen(maps.uidMappings));
    expect(idMap(pid, 'gid'), `/proc/${pid}/gid_map, with the ids of this machine`).toEqual(seen(maps.gidMappings));
  });

  const setgroups = (pid: number) => readFileSync(`/proc/${pid}/setgroups`, 'utf8').trim();

  test('task 2: setgroups is denied only where the kernel insists', async () => {
    needManyIds();
    const { pid } = await start({ task: 2, namespaces, ...drawMaps() });
    expect(setgroups(pid), `/proc/${pid}/setgroups, by root, who may keep it`).toBe('allow');
    await using nobody = await openSubject({ uid: 'nobody' });
    const own = itself(65534);
    const child = await start({ task: 2, namespaces, uidMappings: own, gidMappings: own }, nobody);
    expect(setgroups(child.pid), `/proc/${child.pid}/setgroups, without CAP_SETGID`).toBe('deny');
    expect(idMap(child.pid, 'gid')).toHaveLength(1);
  });

  test('task 2: it is CAP_SETGID in the effective set that decides about setgroups', async () => {
    const maps = { uidMappings: itself(0), gidMappings: itself(0) };
    // Root, whose permitted set still has it.
    const poor = await start({ task: 2, namespaces, ...maps, without: CAP_SETGID });
    expect(setgroups(poor.pid), `/proc/${poor.pid}/setgroups, without CAP_SETGID in the effective set`).toBe('deny');
    needManyIds();
    const rich = await start({ task: 2, namespaces, ...maps, without: CAP_SETUID });
    expect(setgroups(rich.pid), `/proc/${rich.pid}/setgroups, without CAP_SETUID alone`).toBe('allow');
  });

  test('task 2: a mapping that the kernel refuses is an error that names the file', async () => {
    needManyIds();
    const { uidMappings, gidMappings } = drawMaps();
    const fine = await start({ task: 2, namespaces, uidMappings, gidMappings });
    expect(idMap(fine.pid, 'uid'), `/proc/${fine.pid}/uid_map`).toHaveLength(2);
    const overlapping = (list: typeof uidMappings) => [...list, { containerID: 0, hostID: 9000, size: 1 }];
    for (const kind of ['uid', 'gid'] as const) {
      const refused = {
        ...program(subject, nonce()),
        task: 2,
        namespaces,
        uidMappings: kind === 'uid' ? overlapping(uidMappings) : uidMappings,
        gidMappings: kind === 'gid' ? overlapping(gidMappings) : gidMappings,
      };
      await expectError(subject.call('prepareContainer', refused), `A ${kind} mapping that overlaps`, `${kind}_map`);
    }
  });

  test('task 3: the child is root of its new user namespace, and its files in /proc are its own', async () => {
    needManyIds();
    const maps = drawMaps();
    const mark = nonce();
    const request = { ...program(subject, mark), task: 3, namespaces, ...maps, stops: ['entered'] };
    const pid = childOf(subject, (await subject.call('prepareContainer', request)) as number);
    await subject.call('letGo');
    const base = idMap(subject.pid, 'uid')[0]!.hostID;
    const [uid, gid] = [base + maps.uidMappings[0]!.hostID, base + maps.gidMappings[0]!.hostID];
    const four = (id: number) => Array(4).fill(String(id));
    expect(status(pid).Uid?.split(/\s+/), 'real, effective, saved and file-system uid on the host').toEqual(four(uid));
    expect(status(pid).Gid?.split(/\s+/), 'the same of the gid').toEqual(four(gid));
    expect(statSync(`/proc/${pid}/status`).uid, `the owner of /proc/${pid}/status; 0 if not dumpable`).toBe(uid);
    await subject.call('letGo');
    await processWithNonce(subject, mark, { program: 'sleep' });
  });
});

describe('joining', () => {
  test('task 3: every namespace with a path is joined, and only those', async () => {
    const first = await start({ task: 0, namespaces: [...everyNew, { type: 'cgroup' }] });
    const joined = ['mount', 'uts', 'ipc', 'network', 'cgroup'];
    const paths = [...joined, 'pid'].map((type) => ({ type, path: link(first.inside, type) }));
    const second = await start({ task: 3, namespaces: draw.some(paths) });
    for (const type of joined) {
      const name = procNames[type]!;
      const words = `/proc/${second.pid}/ns/${name}, which was to be joined`;
      expect(namespaceInode(second.pid, name), words).toBe(namespaceInode(first.pid, name));
    }
    const words = `/proc/${second.pid}/ns/pid_for_children: the PID namespace is not joined here`;
    expect(namespaceInode(second.pid, 'pid_for_children'), words).toBe(namespaceInode(subject.pid, 'pid'));
  });

  test('task 3: every path is opened before the first namespace is joined, and no descriptor stays open', async () => {
    // In the mount namespace that is joined, /proc is another. The subject mounts it: what lies in there is a program of the
    // submission's, whatever it is called, and the judge runs none of those.
    const first = await start({ task: 0, namespaces: everyNew, unfurnished: true, hideProc: true });
    const proc = mountinfo(first.pid).filter(({ mountPoint }) => mountPoint === '/proc');
    expect(proc.at(-1)?.type, '/proc in the namespace that is to be joined').toBe('tmpfs');
    const joined = ['mount', ...draw.some(['uts', 'ipc', 'network'])];
    const namespaces = joined.map((type) => ({ type, path: link(first.inside, type) }));
    const mark = nonce();
    const request = { ...program(subject, mark), task: 3, namespaces, stops: ['joining', 'entered'] };
    const pid = childOf(subject, (await subject.call('prepareContainer', request)) as number);
    await subject.call('letGo');
    const before = Object.keys(openDescriptors(pid));
    await subject.call('letGo');
    expect(Object.keys(openDescriptors(pid)), 'the descriptors that are open behind enterNamespaces').toEqual(before);
    for (const type of joined)
      expect(namespaceInode(pid, procNames[type]!), `/proc/${pid}/ns/${procNames[type]}`).toBe(
        namespaceInode(first.pid, procNames[type]!),
      );
    await subject.call('letGo');
  });

  test('task 3: a user namespace is joined before the others, and the cgroup namespace is made after it', async () => {
    await using nobody = await openSubject({ uid: 'nobody' });
    const own = itself(idMap(nobody.pid, 'uid').length > 0 && sandboxIds(0, 0).size < 4096 ? 0 : 65534);
    const first = await start(
      {
        task: 0,
        namespaces: [{ type: 'user' }, { type: 'uts' }, { type: 'network' }],
        uidMappings: own,
        gidMappings: own,
      },
      nobody,
    );
    const paths = ['uts', 'network', 'user'].map((type) => ({ type, path: link(first.inside, type) }));
    const second = await start({ task: 3, namespaces: [{ type: 'cgroup' }, ...paths] }, nobody);
    for (const name of ['user', 'uts', 'net'])
      expect(namespaceInode(second.pid, name), `/proc/${second.pid}/ns/${name}, which was to be joined`).toBe(
        namespaceInode(first.pid, name),
      );
    expect(namespaceInode(second.pid, 'cgroup'), `/proc/${second.pid}/ns/cgroup, which was to be made`).not.toBe(
      namespaceInode(nobody.pid, 'cgroup'),
    );
  });

  test("task 3: the cgroup namespace begins at the container's own cgroup", async () => {
    const own = await openSubject();
    const mark = nonce();
    const request = { ...program(own, mark), task: 3, namespaces: [{ type: 'cgroup' }] };
    const child = (await own.call('prepareContainer', request)) as number;
    const cgroup = makeCgroup(own, child);
    try {
      await own.call('letGo');
      const pid = await processWithNonce(own, mark, { program: 'sleep' });
      const words = `/proc/${pid}/ns/cgroup, which was to be made`;
      expect(namespaceInode(pid, 'cgroup'), words).not.toBe(namespaceInode(own.pid, 'cgroup'));
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

  test('task 3: a namespace that cannot be joined is an error', async () => {
    const first = await start({ task: 0, namespaces: everyNew });
    const type = draw.pick(['uts', 'ipc', 'network']);
    const joined = await start({ task: 3, namespaces: [{ type, path: link(first.inside, type) }] });
    expect(namespaceInode(joined.pid, procNames[type]!)).toBe(namespaceInode(first.pid, procNames[type]!));
    const wrong = [{ type, path: link(first.inside, 'mount') }];
    await expectError(
      start({ task: 3, namespaces: wrong }),
      `A ${type} namespace whose path leads to a mount namespace`,
    );
    const missing = [{ type, path: `/proc/${draw.word()}` }];
    await expectError(start({ task: 3, namespaces: missing }), `The path ${missing[0]!.path}`);
  });
});

describe('a world to feel at home in', () => {
  const domainOf = (pid: number) => seenFrom(pid, 'uts', 'cat', '/proc/sys/kernel/domainname');
  const hostOf = (pid: number) => seenFrom(pid, 'uts', 'uname', '-n');
  const hasLoopback = (pid: number) => readFileSync(`/proc/${pid}/net/fib_trie`, 'utf8').includes('127.0.0.1');

  test('task 4: host and domain name are those asked for, and only inside', async () => {
    const [hostname, domainname] = [draw.word(), `${draw.word()}.${draw.word()}`];
    const outer = hostOf(subject.pid);
    const { pid } = await start({ task: 4, namespaces: typesOfNew(), hostname, domainname });
    expect(hostOf(pid), 'the host name inside').toBe(hostname);
    expect(domainOf(pid), 'the domain name inside').toBe(domainname);
    expect(hostOf(subject.pid), 'the host name outside').toBe(outer);
  });

  test('task 4: a name that is absent is left as it is', async () => {
    const [outerHost, outerDomain] = [hostOf(subject.pid), domainOf(subject.pid)];
    const [hostname, domainname] = [draw.word(), `${draw.word()}.${draw.word()}`];
    for (const request of draw.some([{}, { hostname }, { domainname }])) {
      const { pid } = await start({ task: 4, namespaces: [{ type: 'uts' }], ...request });
      const wanted = { host: outerHost, domain: outerDomain };
      if ('hostname' in request) wanted.host = hostname;
      if ('domainname' in request) wanted.domain = domainname;
      expect({ host: hostOf(pid), domain: domainOf(pid) }, `the names for ${JSON.stringify(request)}`).toEqual(wanted);
    }
  });

  test('task 4: a joined UTS namespace keeps its names', async () => {
    const [hostname, domainname] = [draw.word(), draw.word()];
    const first = await start({ task: 0, namespaces: everyNew, hostname, domainname });
    const namespaces = [{ type: 'uts', path: link(first.inside, 'uts') }];
    const second = await start({ task: 4, namespaces, hostname: draw.word(), domainname: draw.word() });
    expect(namespaceInode(second.pid, 'uts')).toBe(namespaceInode(first.pid, 'uts'));
    expect(hostOf(first.pid), 'the host name of a container that another one joined').toBe(hostname);
    expect(domainOf(first.pid), 'its domain name').toBe(domainname);
    const own = await start({ task: 4, namespaces: [{ type: 'uts' }], hostname: domainname });
    expect(hostOf(own.pid), 'the host name in a new namespace').toBe(domainname);
  });

  test('task 4: the loopback interface is up in a new network namespace, and untouched in a joined one', async () => {
    const { pid } = await start({ task: 4, namespaces: typesOfNew() });
    expect(hasLoopback(pid), `whether /proc/${pid}/net/fib_trie has a route to 127.0.0.1: only while lo is up`).toBe(
      true,
    );
    const down = await start({ task: 0, namespaces: everyNew, unfurnished: true });
    await start({ task: 4, namespaces: [{ type: 'network', path: link(down.inside, 'network') }] });
    expect(hasLoopback(down.pid), `the same of /proc/${down.pid}, whose network was joined with lo down`).toBe(false);
  });

  test('task 4: an error of the kernel is thrown', async () => {
    const fine = { task: 4, namespaces: [{ type: 'uts' }, { type: 'network' }], hostname: draw.word() };
    expect(hostOf((await start(fine)).pid), 'the host name inside').toBe(fine.hostname);
    const poor = start({ task: 4, namespaces: [{ type: 'network' }], without: CAP_NET_ADMIN });
    await expectError(poor, 'Bringing lo up without CAP_NET_ADMIN', 'EPERM');
    const nameless = start({ ...fine, namespaces: [{ type: 'uts' }], without: CAP_SYS_ADMIN });
    await expectError(nameless, 'Setting a host name without CAP_SYS_ADMIN', 'EPERM');
  });
});
