import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makedev, S_IFBLK, S_IFCHR, S_IFIFO, S_IFMT } from '../../engine/kernel/nodes.ts';
import { idMap, mountinfo } from '../../grader/harness/evidence.ts';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from '../../grader/harness/files.ts';
import { inside } from '../../grader/harness/inside.ts';
import { draw } from '../../grader/harness/random.ts';
import { openSubject, type Subject } from '../../grader/harness/suite.ts';
import { type SystemCall, traceSyscalls } from '../../grader/harness/trace-syscalls.ts';
import * as judge from './rootfs.judge.ts';
import { mountAt, mountPoints, usual } from './rootfs.judge.ts';

let subject: Subject;
beforeAll(async () => {
  subject = await openSubject();
});
afterAll(async () => {
  await subject?.[Symbol.asyncDispose]();
});

const start = (task: number, request: judge.Request = {}) => judge.container(subject, task, request);
/** A new name at the top of the rootfs. */
const place = () => `/${draw.word(8)}`;

describe('a mount namespace that keeps to itself', () => {
  test('task 1: no mount event crosses in either direction', async () => {
    const child = await judge.start(subject, 1, { last: 1 });
    await subject.call('goOn');
    for (const { mountPoint, optionalFields } of mountinfo(child.pid))
      expect(optionalFields, `what ties ${mountPoint} to other mounts, in /proc/${child.pid}/mountinfo`).toEqual([]);
    await subject.call('finish');
  });

  test('task 1: a mount in the container does not appear outside', async () => {
    const before = mountPoints(subject.pid);
    const name = place();
    const mounts = [...usual, { destination: name, type: 'tmpfs', source: 'tmpfs', options: ['size=8k'] }];
    const { pid } = await start(1, { mounts });
    expect(mountAt(pid, name).type, `what is mounted on ${name} inside`).toBe('tmpfs');
    expect(mountPoints(subject.pid), 'the mounts outside, after the container made its own').toEqual(before);
  });

  test('task 1: the rootfs becomes a mount point, with what is mounted below it', async () => {
    const name = place();
    judge.directoryInRootfs(subject, name);
    const { pid, tree } = await start(1, { before: [`${subject.rootfs}${name}`] });
    expect(mountAt(pid, '/').root, 'the part of its file system that is mounted on /').toMatch(/rootfs$/);
    expect(tree.list(name), `what lies in ${name}, which was a tmpfs before`).toEqual(['below']);
  });
});

describe('mounts', () => {
  test('task 2: each mount is where it was asked for, of its type and with its flags', async () => {
    const flags = ['ro', 'nosuid', 'nodev', 'noexec', 'noatime'];
    const drawn = [place(), place(), place()].map((destination) => ({
      destination,
      type: 'tmpfs',
      source: 'tmpfs',
      options: draw.some([...draw.some(flags, draw.int(1, 4)), 'size=16k']),
    }));
    const sysfs = { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] };
    const mounts = [...usual, ...draw.some([sysfs, ...drawn])];
    const { pid } = await start(2, { mounts });
    for (const { destination, type, options = [] } of mounts) {
      const found = mountAt(pid, destination);
      expect(found.type, `what is mounted on ${destination}`).toBe(type);
      const wanted = flags.filter((flag) => options.includes(flag));
      const is = flags.filter((flag) => found.options.includes(flag));
      expect(is, `the flags of ${destination}, asked for with ${options}`).toEqual(wanted);
    }
  });

  test('task 2: the later of two opposite options counts', async () => {
    const pairs = [
      ['ro', 'rw'],
      ['nosuid', 'suid'],
      ['nodev', 'dev'],
      ['noexec', 'exec'],
    ] as const;
    const [set, cleared] = [draw.some(pairs, 2), draw.some(pairs, 2)];
    const work = judge.freshDirectory(subject);
    const [first, second] = [place(), place()];
    const mounts = [
      ...usual,
      { destination: first, type: 'tmpfs', source: 'tmpfs', options: cleared.flat() },
      { destination: second, source: work.inside, options: ['bind', ...set.flatMap(([no, yes]) => [yes, no])] },
    ];
    const { pid } = await start(2, { mounts });
    for (const [no, yes] of cleared)
      expect(mountAt(pid, first).options, `${first} with ${no},${yes}`).not.toContain(no);
    for (const [no, yes] of set) expect(mountAt(pid, second).options, `${second} with ${yes},${no}`).toContain(no);
  });

  test('task 2: options that are not flags reach the file system', async () => {
    const size = 4 * draw.int(2, 200);
    const name = place();
    const options = ['noatime', `size=${size}k`, 'relatime', `mode=7${draw.int(0, 7)}1`];
    const mounts = [...usual, { destination: name, type: 'tmpfs', source: 'tmpfs', options }];
    const { pid, tree } = await start(2, { mounts });
    expect(mountAt(pid, name).superOptions, `${name}, asked for with ${options}`).toContain(`size=${size}k`);
    expect((tree.stat(name).mode & 0o777).toString(8), `the mode of ${name}`).toBe(options[3]!.slice(5));
  });

  test('task 2: a missing mount point is made, a file for a file', async () => {
    const work = judge.freshDirectory(subject);
    const text = draw.word();
    writeFileSync(join(work.outside, 'file'), text);
    mkdirSync(join(work.outside, 'directory', text), { recursive: true });
    const [file, directory, memory] = [place(), place(), place()].map((top) => `${top}/${draw.word()}/${draw.word()}`);
    const mounts = [
      { destination: file!, source: `${work.inside}/file`, options: ['bind'] },
      { destination: directory!, source: `${work.inside}/directory`, options: ['rbind'] },
      { destination: memory!, type: 'tmpfs', source: 'tmpfs', options: [] },
    ];
    const { pid, tree } = await start(2, { mounts: [...usual, ...draw.some(mounts)] });
    expect(tree.read(file!), file).toBe(text);
    expect(tree.list(directory!), directory).toEqual([text]);
    expect(mountAt(pid, memory!).type, memory).toBe('tmpfs');
  });

  /** A directory outside with a mount below it. */
  const treeOfMounts = () => {
    const work = judge.freshDirectory(subject);
    mkdirSync(join(work.outside, 'inner'));
    return { ...work, before: [`${work.inside}/inner`] };
  };

  test('task 2: a read-only bind cannot be written, nor what is mounted below it', async () => {
    const work = treeOfMounts();
    const name = place();
    const mounts = [
      ...usual,
      { destination: name, source: work.inside, options: draw.some(['rbind', 'ro', 'nosuid']) },
    ];
    const { pid, tree } = await start(2, { mounts, before: work.before });
    for (const file of [`${name}/written`, `${name}/inner/written`])
      expect(() => tree.write(file, 'x'), `writing ${file}, as root`).toThrow(/EROFS/);
    expect(existsSync(join(work.outside, 'written')), 'whether the file exists outside').toBe(false);
    expect(mountAt(pid, name).options, name).toEqual(expect.arrayContaining(['ro', 'nosuid']));
  });

  test('task 2: a bind has the flags asked for and those of its source, and without `ro` it is writable', async () => {
    const flags = draw.some(['nosuid', 'nodev', 'noexec']);
    const work = judge.freshDirectory(subject);
    const [strict, plain, kept] = [place(), place(), place()];
    const mounts = [
      { destination: strict, source: work.inside, options: draw.some(['bind', ...flags]) },
      { destination: plain, source: work.inside, options: ['bind'] },
      { destination: kept, source: work.inside, options: ['bind', 'ro'] },
    ];
    const { pid, tree } = await start(2, { mounts: [...usual, ...draw.some(mounts)] });
    for (const flag of flags) expect(mountAt(pid, strict).options, strict).toContain(flag);
    const ofSource = flags.filter((flag) => mountAt(pid, plain).options.includes(flag));
    const ofBind = flags.filter((flag) => mountAt(pid, kept).options.includes(flag));
    expect(ofBind, `the flags of ${kept}, asked for with bind,ro: those of its source are kept`).toEqual(ofSource);
    const text = draw.word();
    tree.write(`${plain}/written`, text);
    expect(readFileSync(join(work.outside, 'written'), 'utf8')).toBe(text);
  });

  test('task 2: `bind` is one mount, and `rbind` all below it too', async () => {
    const work = treeOfMounts();
    const [one, all] = [place(), place()];
    const mounts = [
      { destination: one, source: work.inside, options: ['bind'] },
      { destination: all, source: work.inside, options: ['rbind'] },
    ];
    const { tree } = await start(2, { mounts: [...usual, ...draw.some(mounts)], before: work.before });
    expect(tree.list(`${all}/inner`), `${all}/inner, where a tmpfs is mounted in the source`).toEqual(['below']);
    expect(tree.list(`${one}/inner`), `${one}/inner, without that tmpfs`).toEqual([]);
  });

  test('task 2: a mount has the propagation asked for', async () => {
    const work = treeOfMounts();
    const [one, all, none] = [place(), place(), place()];
    const mounts = [
      { destination: one, source: work.inside, options: ['rbind', 'shared'] },
      { destination: all, source: work.inside, options: ['rbind', 'rshared', 'ro'] },
      { destination: none, type: 'tmpfs', source: 'tmpfs', options: ['shared', 'private', 'size=8k'] },
    ];
    const { pid } = await start(2, { mounts: [...usual, ...draw.some(mounts)], before: work.before });
    const isShared = (name: string) => mountAt(pid, name).optionalFields.some((field) => field.startsWith('shared:'));
    const places = [one, `${one}/inner`, all, `${all}/inner`, none];
    const shared = Object.fromEntries(places.map((name) => [name, isShared(name)]));
    const should = { [one]: true, [`${one}/inner`]: false, [all]: true, [`${all}/inner`]: true, [none]: false };
    expect(shared, `which mounts are shared: ${one} is shared, ${all} rshared, ${none} private`).toEqual(should);
  });

  test('task 2: a symbolic link in a destination never leads out of the rootfs', async () => {
    const work = judge.freshDirectory(subject);
    mkdirSync(join(work.outside, 'target'));
    // The hostile image: links of it point at a directory of the world outside, by an absolute and by a climbing path.
    // The same path exists inside the rootfs too, and that is the one that is meant.
    judge.directoryInRootfs(subject, `${work.inside}/target`);
    const links = [`${work.inside}/target`, `../../../../../..${work.inside}/target`].map((target) => {
      const link = place();
      symlinkSync(target, judge.inRootfs(subject, link));
      return link;
    });
    for (const link of links)
      for (const [destination, wanted] of [
        [link, `${work.inside}/target`],
        [`${link}/${draw.word()}/${draw.word()}`, null],
      ] as const) {
        const mounts = [...usual, { destination, type: 'tmpfs', source: 'tmpfs', options: ['size=4k'] }];
        const { pid } = await start(2, { mounts });
        const inner = wanted ?? destination.replace(link, `${work.inside}/target`);
        expect(mountPoints(pid), `the mount on ${destination}, where ${link} is a link`).toContain(inner);
        expect(readdirSync(join(work.outside, 'target')), 'what was made in the world outside').toEqual([]);
      }
  });

  test('task 2: an error of a mount is thrown', async () => {
    const fine = { destination: place(), type: 'tmpfs', source: 'tmpfs', options: ['size=8k'] };
    expect(mountAt((await start(2, { mounts: [...usual, fine] })).pid, fine.destination).type).toBe('tmpfs');
    const type = draw.word(7);
    const unknown = { destination: place(), type, source: type, options: [] };
    await judge.expectError(start(2, { mounts: draw.some([unknown, ...usual]) }), `The unknown file system ${type}`);
    const data = { ...fine, options: [draw.word(6)] };
    await judge.expectError(start(2, { mounts: [...usual, data] }), `The option ${data.options} of a tmpfs`);
  });

  test('task 2: no descriptor stays open', async () => {
    const name = place();
    const work = judge.freshDirectory(subject);
    const bound = { destination: name, source: work.inside, options: ['bind', 'ro'] };
    const child = await judge.start(subject, 2, { mounts: [...usual, bound] });
    const before = judge.surroundings(child);
    await subject.call('goOn');
    expect(judge.surroundings(child), 'the descriptors and the umask behind mountAll').toEqual(before);
    await subject.call('finish');
    expect(mountAt(judge.program(child), name).options, name).toContain('ro');
  });
});

/** The mknod calls of a container's start, and its child; each device became an empty file instead. */
async function traced(devices: judge.Request['devices']): Promise<{ child: judge.Child; calls: SystemCall[] }> {
  const child = await judge.start(subject, 3, { devices });
  const { calls } = await traceSyscalls({ pid: child.pid }, () => subject.call('goOn'), { standIn: true });
  return { child, calls: calls.filter(({ call, result }) => call === 'mknod' && result === 0) };
}

describe('devices', () => {
  const kinds = { c: S_IFCHR, u: S_IFCHR, b: S_IFBLK, p: S_IFIFO };
  const drawDevice = (type: 'c' | 'u' | 'b') => ({
    type,
    path: `/dev/${draw.word(7)}`,
    // Beyond 8 bits both numbers are split, each in its own way.
    major: draw.int(2, 4095),
    minor: draw.int(256, 0xfffff),
  });

  test('task 3: a node is made with its type and its numbers', async () => {
    const below = { ...drawDevice('c'), path: `/dev/${draw.word(7)}/${draw.word(7)}` };
    const small = { ...drawDevice('b'), major: draw.int(1, 200), minor: draw.int(201, 255) };
    const devices = draw.some([drawDevice('c'), drawDevice('u'), drawDevice('b'), small, below]);
    const { child, calls } = await traced(devices);
    await subject.call('finish');
    judge.program(child);
    for (const { type, path, major, minor } of devices) {
      const call = calls.find((one) => one.path.endsWith(path));
      if (call?.node === undefined) throw new Error(`No mknod was seen for ${path}: ${calls.map((one) => one.path)}`);
      const device = BigInt(call.node.device);
      const is = { type: (call.node.mode & S_IFMT).toString(8), device: `0x${device.toString(16)}` };
      const number = makedev(major, minor) & 0xffffffffn;
      const should = { type: kinds[type].toString(8), device: `0x${number.toString(16)}` };
      expect(is, `the mknod of ${path}, ${type} ${major}:${minor}`).toEqual(should);
    }
  });

  test('task 3: a node has the mode and the owner asked for, whatever the umask', async () => {
    const [uid, gid] = idMap(subject.pid, 'uid')[0]!.size > 4096 ? [draw.int(1, 3000), draw.int(1, 3000)] : [0, 0];
    const modes = draw.some([0o666, 0o600, 0o622, 0o777, 0o402], 3);
    const owned = modes.map((fileMode) => ({ ...drawDevice('c'), fileMode, uid, gid }));
    const devices = [...owned, drawDevice('b')];
    const child = await judge.start(subject, 3, { devices });
    const before = judge.surroundings(child);
    await traceSyscalls({ pid: child.pid }, () => subject.call('goOn'), { standIn: true });
    expect(judge.surroundings(child), 'the descriptors and the umask behind createDevices').toEqual(before);
    await subject.call('finish');
    const tree = inside(judge.program(child));
    const [uids, gids] = [idMap(subject.pid, 'uid')[0]!.hostID, idMap(subject.pid, 'gid')[0]!.hostID];
    for (const { path, fileMode = 0o666, ...owner } of devices as NonNullable<judge.Request['devices']>) {
      const found = tree.lstat(path);
      const is = { mode: (Number(found.mode) & 0o7777).toString(8), uid: Number(found.uid), gid: Number(found.gid) };
      const should = { mode: fileMode.toString(8), uid: uids + (owner.uid ?? 0), gid: gids + (owner.gid ?? 0) };
      expect(is, `${path}, with the ids of this machine`).toEqual(should);
    }
  });

  test('task 3: where mknod is not permitted, the node of the host is bound', async () => {
    const fifo = { type: 'p' as const, path: `/dev/${draw.word(7)}`, major: 0, minor: 0, fileMode: 0o622 };
    const { pid, tree } = await start(3, { devices: draw.some([...judge.devices, fifo]) });
    for (const { path, major, minor } of judge.devices) {
      expect(tree.stat(path).rdev, `the device number of ${path}`).toBe(major * 256 + minor);
      expect(mountAt(pid, path).mountPoint).toBe(path);
    }
    tree.write('/dev/null', 'gone');
    expect(tree.read('/dev/null')).toBe('');
    expect(tree.read('/dev/zero', 3)).toBe('\0\0\0');
    const found = Number(tree.lstat(fifo.path).mode);
    expect(found.toString(8), `type and mode of the FIFO, which mknod permits`).toBe((S_IFIFO | 0o622).toString(8));
  });

  test('task 3: every other error of mknod is thrown', async () => {
    const { tree } = await start(3);
    expect(tree.stat('/dev/null').rdev).toBe(0x103);
    // Without a tmpfs on /dev, so that the file is in the way.
    const name = draw.pick(['/dev/null', '/dev/zero']);
    judge.fileInRootfs(subject, name, draw.word());
    const bare = usual.filter(({ destination }) => destination === '/proc');
    await judge.expectError(start(3, { mounts: bare, devices: judge.devices }), `A file that is ${name} already`);
  });

  test('task 3: the links of /dev point into /proc and at the own terminal multiplexer', async () => {
    const { tree } = await start(3);
    const names = ['fd', 'stdin', 'stdout', 'stderr', 'ptmx'];
    const links = names.map((name) => [name, tree.readlink(`/dev/${name}`).replace(/^\/dev\//, '')]);
    expect(Object.fromEntries(links), 'the links of /dev').toEqual({
      fd: '/proc/self/fd',
      stdin: '/proc/self/fd/0',
      stdout: '/proc/self/fd/1',
      stderr: '/proc/self/fd/2',
      ptmx: 'pts/ptmx',
    });
  });

  test('task 3: a /dev that is a link of the image stays in the rootfs', async () => {
    const work = judge.freshDirectory(subject);
    judge.directoryInRootfs(subject, work.inside);
    renameSync(judge.inRootfs(subject, '/dev'), judge.inRootfs(subject, '/dev-before'));
    symlinkSync(work.inside, judge.inRootfs(subject, '/dev'));
    const bare = usual.filter(({ destination }) => destination === '/proc');
    const own = await openedAnew(() => start(3, { mounts: bare }));
    expect(readdirSync(work.outside), 'what was made in the world outside').toEqual([]);
    expect(own.tree.stat(`${work.inside}/null`).rdev, 'the device number of /dev/null').toBe(0x103);
    expect(own.tree.readlink(`${work.inside}/stdin`)).toBe('/proc/self/fd/0');
  });
});

/** For a test that spoils the rootfs: the next one gets a fresh subject. */
async function openedAnew<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    spoiled.push(subject);
    subject = await openSubject();
  }
}
const spoiled: Subject[] = [];
afterAll(async () => {
  for (const one of spoiled) await one[Symbol.asyncDispose]();
});

describe('the new root', () => {
  test('task 4: the root of the program is the rootfs, and nothing is left in it', async () => {
    const name = place();
    judge.fileInRootfs(subject, name, draw.word());
    const before = readdirSync(judge.inRootfs(subject, '/')).sort();
    const child = await judge.start(subject, 4);
    const around = judge.surroundings(child);
    await subject.call('goOn');
    expect(judge.surroundings(child), 'the descriptors and the umask behind pivotRoot').toEqual(around);
    await subject.call('finish');
    const tree = inside(judge.program(child));
    expect(tree.exists(name), `whether ${name} of the rootfs is there`).toBe(true);
    expect(tree.list('/').sort(), 'what lies in the new root').toEqual(before);
    expect(mountinfo(child.pid)[0]?.mountPoint, 'the first mount the program sees').toBe('/');
  });

  test('task 4: the old root is not mounted any more', async () => {
    const child = await judge.start(subject, 4);
    const oldRoot = mountAt(child.pid, '/').id;
    await subject.call('goOn');
    await subject.call('finish');
    const pid = judge.program(child);
    const expected = ['/', ...usual.map(({ destination }) => destination), ...judge.devices.map(({ path }) => path)];
    const more = mountPoints(pid).filter((mountPoint) => !expected.includes(mountPoint));
    expect(more, `what of the old world is still in /proc/${pid}/mountinfo`).toEqual([]);
    const roots = mountPoints(pid).filter((mountPoint) => mountPoint === '/');
    expect(roots, 'the mounts on /, of which only the new root is one').toHaveLength(1);
    // A mount that was moved onto / hides the old root from mountinfo, and names it as its parent.
    expect(mountAt(pid, '/').parent, `the mount below /, which in /proc/${pid}/mountinfo is the old root`).not.toBe(
      oldRoot,
    );
  });

  test('task 4: the chroot escape does not get out', async () => {
    const work = judge.freshDirectory(subject);
    const name = place();
    judge.fileInRootfs(subject, name, '');
    const { pid, tree } = await start(4, { walkOutFirst: true });
    const root = statSync(`/proc/${pid}/root/`);
    const outer = statSync(`/proc/${subject.pid}/root/`);
    expect([root.dev, root.ino], 'device and inode of the root of a program that walked out').not.toEqual([
      outer.dev,
      outer.ino,
    ]);
    expect(tree.exists(work.inside), `whether it sees ${work.inside} of the world outside`).toBe(false);
    expect(tree.exists(name), `whether it sees ${name} of the rootfs, which is as far as one can walk`).toBe(true);
  });

  test('task 4: the working directory is the new root', async () => {
    const { pid } = await start(4);
    const [cwd, root] = [statSync(`/proc/${pid}/cwd/`), statSync(`/proc/${pid}/root/`)];
    expect([cwd.dev, cwd.ino], 'device and inode of the working directory').toEqual([root.dev, root.ino]);
    expect(mountAt(pid, '/').root, 'the part of its file system that is mounted on /').toMatch(/rootfs$/);
  });
});

describe('protected paths', () => {
  test('task 5: a masked path shows nothing', async () => {
    const [directory, file, secret] = [place(), place(), draw.word()];
    judge.fileInRootfs(subject, `${directory}/key`, secret);
    judge.fileInRootfs(subject, file, secret);
    const { tree } = await start(5, { masked: draw.some([directory, file]) });
    expect(tree.list(directory), 'a masked directory is empty').toEqual([]);
    expect(tree.read(file), 'a masked file is empty').toBe('');
    expect(() => tree.write(`${directory}/new`, 'x'), `a new file in ${directory}`).toThrow(/EROFS|ENOSPC/);
  });

  test('task 5: what the kernel shows below /proc is masked too', async () => {
    const file = draw.pick(['/proc/version', '/proc/loadavg', '/proc/uptime', '/proc/filesystems']);
    const directory = draw.pick(['/proc/fs', '/proc/tty', '/proc/sys/kernel']);
    const { tree } = await start(5, { masked: draw.some([file, directory]) });
    expect(tree.read(file), file).toBe('');
    expect(tree.list(directory), directory).toEqual([]);
  });

  test('task 5: a read-only path cannot be written', async () => {
    const [file, text] = [`${place()}/${draw.word()}`, draw.word()];
    judge.fileInRootfs(subject, file, text);
    const { tree } = await start(5, { readonly: [draw.boolean() ? file : file.slice(0, file.lastIndexOf('/'))] });
    expect(() => tree.write(file, 'changed'), `writing ${file}, as root`).toThrow(/EROFS/);
    expect(tree.read(file)).toBe(text);
  });

  test('task 5: what is mounted below a read-only path stays there, and is read-only too', async () => {
    const name = place();
    const before = judge.freshDirectory(subject);
    writeFileSync(join(before.outside, 'there'), '');
    const mounts = [...usual, { destination: `${name}/inner`, source: before.inside, options: ['bind'] }];
    const { tree } = await start(5, { mounts, readonly: [name] });
    expect(tree.list(`${name}/inner`), `what lies in ${name}/inner`).toEqual(['there']);
    expect(() => tree.write(`${name}/inner/new`, 'x'), `writing ${name}/inner/new, as root`).toThrow(/EROFS/);
  });

  test('task 5: a path that does not exist is skipped', async () => {
    const file = place();
    judge.fileInRootfs(subject, file, draw.word());
    const [masked, readonly] = [
      [`${place()}/x`, file],
      [place(), `/proc/${draw.word()}`],
    ];
    const { tree } = await start(5, { masked, readonly });
    expect(tree.read(file)).toBe('');
  });

  test('task 5: an error of a mount is thrown', async () => {
    const [file, directory] = [place(), place()];
    judge.fileInRootfs(subject, file, draw.word());
    judge.fileInRootfs(subject, `${directory}/inner`, '');
    const { tree } = await start(5, { masked: [file], readonly: [directory] });
    expect(tree.read(file)).toBe('');
    for (const request of draw.some([{ masked: [file] }, { masked: [directory] }, { readonly: [directory] }])) {
      const powerless = start(5, { ...request, powerless: true });
      await judge.expectError(powerless, `EPERM for ${JSON.stringify(request)}, without CAP_SYS_ADMIN,`);
    }
  });
});
