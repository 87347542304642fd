import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mountinfo, nonce, processWithNonce } from '../../grader/harness/evidence.ts';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from '../../grader/harness/files.ts';
import { inside } from '../../grader/harness/inside.ts';
import { openSubject, type Subject } from '../../grader/harness/suite.ts';

let subject: Subject;
beforeAll(async () => {
  subject = await openSubject();
});
afterAll(async () => {
  await subject?.[Symbol.asyncDispose]();
});

const usual = [
  { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
  { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=64k'] },
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666'],
  },
];
const devices = [
  { type: 'c', path: '/dev/null', major: 1, minor: 3 },
  { type: 'c', path: '/dev/zero', major: 1, minor: 5, fileMode: 0o666 },
];

/** @returns the program's pid, and the judge's own hands in the tree the program sees. */
async function start(request: Record<string, unknown> = {}) {
  const mark = nonce();
  await subject.call('startContainer', {
    args: ['/bin/busybox', 'sleep', '1000'],
    env: [`SKIFF_NONCE=${mark}`],
    rootfs: subject.rootfs,
    mounts: usual,
    devices,
    ...request,
  });
  const pid = await processWithNonce(subject, mark);
  return { pid, tree: inside(pid) };
}

/** A directory that the sandbox may write in: a mount of it is read-only only if somebody made it so. */
function freshDirectory(): { inside: string; outside: string } {
  const name = nonce();
  const outside = join(subject.outsidePath(subject.scratch), name);
  mkdirSync(outside);
  chmodSync(outside, 0o777);
  return { inside: `${subject.scratch}/${name}`, outside };
}

/** Where each mount of a process is mounted, as that process sees it. */
const mountPoints = (pid: number) => mountinfo(pid).map(({ mountPoint }) => mountPoint);

describe('a mount namespace that keeps to itself', () => {
  test('task 1: a mount in the container does not appear outside', async () => {
    const before = mountPoints(subject.pid);
    await start();
    expect(mountPoints(subject.pid), "the container's mounts show up in the namespace it came from").toEqual(before);
  });

  test('task 1: no mount event crosses in either direction', async () => {
    const { pid } = await start();
    for (const { mountPoint, optionalFields } of mountinfo(pid)) {
      expect(optionalFields, `${mountPoint} is still tied to other mounts (shared:N or master:N)`).toEqual([]);
    }
  });
});

describe('mounts', () => {
  test('task 2: each mount is where it was asked for, of its type and with its flags', async () => {
    const { pid } = await start();
    const mounts = mountinfo(pid);
    for (const { destination, type, options } of usual) {
      const found = mounts.find(({ mountPoint }) => mountPoint === destination);
      expect(found?.type, `what is mounted on ${destination}`).toBe(type);
      for (const flag of options.filter((option) => option.startsWith('no'))) expect(found!.options).toContain(flag);
    }
  });

  test('task 2: options that are no flags reach the file system', async () => {
    const { pid } = await start();
    const dev = mountinfo(pid).find(({ mountPoint }) => mountPoint === '/dev');
    expect(dev?.superOptions, 'the tmpfs was asked to hold 64 KiB').toContain('size=64k');
  });

  test('task 2: a missing mount point is made, a file for a file', async () => {
    const work = freshDirectory();
    writeFileSync(join(work.outside, 'file'), 'the bound file');
    mkdirSync(join(work.outside, 'directory/below'), { recursive: true });
    const { tree } = await start({
      mounts: [
        ...usual,
        { destination: '/new/place/for/a-file', source: `${work.inside}/file`, options: ['bind'] },
        { destination: '/new/place/for/a-directory', source: `${work.inside}/directory`, options: ['rbind'] },
      ],
    });
    expect(tree.read('/new/place/for/a-file')).toBe('the bound file');
    expect(tree.list('/new/place/for/a-directory')).toEqual(['below']);
  });

  test('task 2: a read-only bind cannot be written', async () => {
    const work = freshDirectory();
    const { pid, tree } = await start({
      mounts: [...usual, { destination: '/bound', source: work.inside, options: ['rbind', 'ro', 'nosuid'] }],
    });
    expect(() => tree.write('/bound/written', 'x')).toThrow(/EROFS/);
    expect(existsSync(join(work.outside, 'written'))).toBe(false);
    const bound = mountinfo(pid).find(({ mountPoint }) => mountPoint === '/bound');
    expect(bound?.options).toEqual(expect.arrayContaining(['ro', 'nosuid']));
  });

  test('task 2: a bind that was not asked to be read-only can be written', async () => {
    const work = freshDirectory();
    const { tree } = await start({
      mounts: [...usual, { destination: '/bound', source: work.inside, options: ['bind'] }],
    });
    tree.write('/bound/written', 'hello');
    expect(readFileSync(join(work.outside, 'written'), 'utf8')).toBe('hello');
  });

  test('task 2: a symbolic link in a destination never leads out of the rootfs', async () => {
    const work = freshDirectory();
    mkdirSync(join(work.outside, 'target'));
    // The hostile image: its /data points at a directory of the world outside, by an absolute and by a climbing link.
    // The same path exists inside the rootfs too, and that is the one that is meant.
    const rootfs = subject.outsidePath(subject.rootfs);
    mkdirSync(join(rootfs, work.inside, 'target'), { recursive: true });
    symlinkSync(`${work.inside}/target`, join(rootfs, 'absolute'));
    symlinkSync(`../../../../../..${work.inside}/target`, join(rootfs, 'climbing'));
    for (const link of ['absolute', 'climbing']) {
      const { pid } = await start({
        mounts: [...usual, { destination: `/${link}`, type: 'tmpfs', source: 'tmpfs', options: ['size=4k'] }],
      });
      expect(mountPoints(pid), `the mount on the link /${link} did not stay in the rootfs`).toContain(
        `${work.inside}/target`,
      );
    }
    expect(readdirSync(join(work.outside, 'target'))).toEqual([]);
  });
});

describe('devices', () => {
  test('task 3: a device node is the device', async () => {
    const { tree } = await start();
    expect(tree.stat('/dev/null').rdev).toBe(0x103);
    expect(tree.stat('/dev/zero').rdev).toBe(0x105);
    tree.write('/dev/null', 'gone');
    expect(tree.read('/dev/null')).toBe('');
    expect(tree.read('/dev/zero', 3)).toBe('\0\0\0');
  });

  test('task 3: anybody may use a node whose mode says so, whatever the umask', async () => {
    const { tree } = await start();
    for (const path of ['/dev/null', '/dev/zero']) expect(tree.stat(path).mode & 0o777).toBe(0o666);
  });

  test('task 3: the links of /dev point into /proc and at the own terminal multiplexer', async () => {
    const { tree } = await start();
    const links = Object.fromEntries(
      ['fd', 'stdin', 'stdout', 'stderr', 'ptmx'].map((name) => [
        name,
        tree.readlink(`/dev/${name}`).replace(/^\/dev\//, ''),
      ]),
    );
    expect(links).toEqual({
      fd: '/proc/self/fd',
      stdin: '/proc/self/fd/0',
      stdout: '/proc/self/fd/1',
      stderr: '/proc/self/fd/2',
      ptmx: 'pts/ptmx',
    });
  });
});

describe('the new root', () => {
  test('task 4: the root of the program is the rootfs', async () => {
    writeFileSync(join(subject.outsidePath(subject.rootfs), 'this-is-the-rootfs'), '');
    const { pid, tree } = await start();
    expect(tree.exists('/this-is-the-rootfs')).toBe(true);
    expect(mountinfo(pid)[0]?.mountPoint, 'the first mount the program sees').toBe('/');
  });

  test('task 4: the old root is not mounted any more', async () => {
    const { pid } = await start();
    const expected = ['/', ...usual.map(({ destination }) => destination), ...devices.map(({ path }) => path)];
    for (const mountPoint of mountPoints(pid))
      expect(expected, `${mountPoint} of the old world is still there`).toContain(mountPoint);
    expect(
      mountPoints(pid).filter((mountPoint) => mountPoint === '/'),
      'two roots lie on top of each other',
    ).toHaveLength(1);
  });

  test('task 4: the chroot escape does not get out', async () => {
    const work = freshDirectory();
    const { pid, tree } = await start({ walkOutFirst: true, args: ['/bin/busybox', 'sleep', '1000'] });
    const root = statSync(`/proc/${pid}/root/`);
    const outer = statSync(`/proc/${subject.pid}/root/`);
    expect([root.dev, root.ino], 'the program walked out into the world outside').not.toEqual([outer.dev, outer.ino]);
    expect(tree.exists(work.inside)).toBe(false);
  });

  test('task 4: the working directory is the new root', async () => {
    const { pid } = await start();
    const [cwd, root] = [statSync(`/proc/${pid}/cwd/`), statSync(`/proc/${pid}/root/`)];
    expect([cwd.dev, cwd.ino]).toEqual([root.dev, root.ino]);
  });
});

describe('protected paths', () => {
  const rootfsFile = (path: string, text: string) => {
    const file = join(subject.outsidePath(subject.rootfs), path);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, text);
  };

  test('task 5: a masked path shows nothing', async () => {
    rootfsFile('secrets/key', 'hunter2');
    rootfsFile('secret-file', 'hunter2');
    const { tree } = await start({ masked: ['/secrets', '/secret-file'] });
    expect(tree.list('/secrets'), 'a masked directory is empty').toEqual([]);
    expect(tree.read('/secret-file'), 'a masked file is empty').toBe('');
    expect(() => tree.write('/secrets/new', 'x'), 'nothing new can be put there').toThrow(/EROFS|ENOSPC/);
  });

  test('task 5: a read-only path cannot be written', async () => {
    rootfsFile('settings/value', 'kept');
    const { tree } = await start({ readonly: ['/settings'] });
    expect(() => tree.write('/settings/value', 'changed')).toThrow(/EROFS/);
    expect(tree.read('/settings/value')).toBe('kept');
  });

  test('task 5: what is mounted below a read-only path is read-only too', async () => {
    const { tree } = await start({
      mounts: [...usual, { destination: '/tree/below', type: 'tmpfs', source: 'tmpfs', options: ['size=64k'] }],
      readonly: ['/tree'],
    });
    expect(() => tree.write('/tree/below/new', 'x')).toThrow(/EROFS/);
  });

  test('task 5: a path that does not exist is passed over', async () => {
    rootfsFile('secret-file', 'hunter2');
    const { tree } = await start({ masked: ['/no/such/file', '/secret-file'], readonly: ['/no/such/directory'] });
    expect(tree.read('/secret-file')).toBe('');
  });
});
