import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makedev, mknod, S_IFBLK } from '#kernel/nodes';
import { descriptorsOf } from '../testing/proc.ts';
import { dockerCapabilities, specFor } from '../testing/rootfs.ts';
import { startShim, type TestShim } from '../testing/shim.ts';
import { cgroupVersion, mountedHierarchies } from './detect.ts';

const version = process.getuid?.() === 0 ? cgroupVersion(mountedHierarchies()) : null;

/** A block device that this test itself may open: one of the host's disks, or a loop device. */
const disk = version === null ? null : findDisk();

function findDisk(): { major: number; minor: number } | null {
  const partitions = readFileSync('/proc/partitions', 'utf8').matchAll(/^ *(\d+) +(\d+) +[1-9]/gm);
  const listed = [...partitions].map(([, major, minor]) => ({ major: Number(major), minor: Number(minor) }));
  return [...listed, { major: 7, minor: 0 }].find(canOpen) ?? null;
}

function canOpen({ major, minor }: { major: number; minor: number }): boolean {
  const node = join(tmpdir(), `skiff-disk-${process.pid}`);
  try {
    mknod(node, S_IFBLK | 0o600, makedev(major, minor));
    closeSync(openSync(node, 'r'));
    return true;
  } catch {
    return false;
  } finally {
    rmSync(node, { force: true });
  }
}

const why =
  version === null ? 'needs root and control groups' : disk ? `v${version}` : 'no block device can be opened here';

describe.skipIf(disk === null)(`the devices of a container (${why})`, () => {
  let shim: TestShim;
  beforeAll(async () => {
    shim = await startShim();
  });
  afterAll(() => shim?.close());

  const { major, minor } = disk ?? { major: 0, minor: 0 };
  const makeAndOpen = `mknod /disk b ${major} ${minor} && echo made; (exec 3</disk) && echo opened; true`;
  const given = { type: 'b', path: '/dev/given', major, minor } as const;

  test('it can make a node of the host’s disk, and not open it', async () => {
    const { stdout, stderr } = await shim.run(specFor(shim, ['sh', '-c', makeAndOpen]));
    expect([stdout, stderr]).toEqual(['made\n', expect.stringContaining('Operation not permitted')]);
  });

  test('what is executed in it cannot either, whatever its capabilities', async () => {
    const { key } = await shim.start(specFor(shim, ['sleep', '1000']));
    const all = [...dockerCapabilities.bounding!, 'CAP_SYS_ADMIN', 'CAP_SYS_RAWIO', 'CAP_DAC_READ_SEARCH'];
    const capabilities = { bounding: all, effective: all, permitted: all };
    const { stdout, stderr } = await shim.exec(key.container, { args: ['sh', '-c', makeAndOpen], capabilities });
    await shim.call('signal', { key, signal: 9 });
    await shim.exit(key);
    await shim.call('forget', { key });
    expect([stdout, stderr]).toEqual(['made\n', expect.stringContaining('Operation not permitted')]);
  });

  test('a node that its image brings cannot be opened', async () => {
    const spec = specFor(shim, ['sh', '-c', '(exec 3</disk) && echo opened; true']);
    mknod(join(spec.root.overlay!.upper, 'disk'), S_IFBLK | 0o666, makedev(major, minor));
    const { stdout, stderr } = await shim.run(spec);
    expect([stdout, stderr]).toEqual(['', expect.stringContaining('Operation not permitted')]);
  });

  test('the usual devices work', async () => {
    const script = [
      'head -c2 /dev/zero | wc -c',
      'head -c2 /dev/random | wc -c',
      'head -c2 /dev/urandom | wc -c',
      'cat /dev/null | wc -c',
      'echo x >/dev/null && echo null',
      'echo x 2>&1 >/dev/full | grep -o "No space"',
      '(exec 3<>/dev/ptmx) && echo ptmx',
      '(exec 3<>/dev/tty) && echo tty',
      'tty',
    ].join('; ');
    const { stdout } = await shim.run(specFor(shim, ['sh', '-c', script], { process: { terminal: true } }), {
      terminal: true,
    });
    expect(stdout.split('\r\n')).toEqual(['2', '2', '2', '0', 'null', 'No space', 'ptmx', 'tty', '/dev/pts/0', '']);
  });

  test('a device it was given works, under any name, and no other does', async () => {
    const script = `(exec 3</dev/given) && echo given; ${makeAndOpen}; mknod /kmsg c 1 11; (exec 3>>/kmsg) || echo no`;
    const { stdout, stderr } = await shim.run(specFor(shim, ['sh', '-c', script], { linux: { devices: [given] } }));
    expect(stdout).toBe('given\nmade\nopened\nno\n');
    expect(stderr).toContain('Operation not permitted');
  });

  test('with all devices allowed, as a privileged container has them, every one works', async () => {
    const resources = { devices: [{ allow: true }] };
    const { stdout, stderr } = await shim.run(specFor(shim, ['sh', '-c', makeAndOpen], { linux: { resources } }));
    expect([stdout, stderr]).toEqual(['made\nopened\n', '']);
  });

  test('with rules of its own it has what they say', async () => {
    const rules = [{ allow: false }, { allow: true, access: 'm' }, { allow: true, type: 'c' as const, access: 'r' }];
    const script = `head -c2 /dev/zero | wc -c; (exec 3>/dev/zero) || echo no; ${makeAndOpen}`;
    const { stdout } = await shim.run(
      specFor(shim, ['sh', '-c', script], { linux: { resources: { devices: rules } } }),
    );
    expect(stdout).toBe('2\nno\nmade\n');
  });

  test('a rule with an access that does not exist fails the start, and says which', async () => {
    const resources = { devices: [{ allow: true, access: 'rx' }] };
    await expect(shim.run(specFor(shim, ['true'], { linux: { resources } }))).rejects.toMatchObject({
      failure: { message: expect.stringContaining('"rx"'), exitCode: 125 },
    });
  });

  test('no container holds a program open, and the shim none for each', async () => {
    const programsOf = (pid: number) => Object.values(descriptorsOf(pid)).filter((target) => target.includes('bpf'));
    const held: number[] = [];
    for (let round = 0; round < 2; round++) {
      const { key, pid } = await shim.start(specFor(shim, ['sleep', '1000']));
      expect(Object.values(descriptorsOf(pid))).toContain('/dev/null');
      expect(programsOf(pid)).toEqual([]);
      held.push(programsOf(shim.pid).length);
      await shim.call('signal', { key, signal: 9 });
      await shim.exit(key);
      await shim.call('forget', { key });
    }
    expect(held[1]).toBe(held[0]);
  });
});
