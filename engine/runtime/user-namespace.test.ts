import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listXattrs, setXattr } from '#kernel/xattr';
import { mountsOf, namespaceOf, statusOf } from './testing/proc.ts';
import { type SpecOptions, specFor, userNamespaced } from './testing/rootfs.ts';
import { startShim, type TestShim } from './testing/shim.ts';

describe.skipIf(process.getuid?.() !== 0)('a container in a user namespace', () => {
  let shim: TestShim;
  beforeAll(async () => {
    shim = await startShim();
  });
  afterAll(() => shim?.close());

  test('root inside is nobody outside, with its capabilities only there', async () => {
    const spec = userNamespaced(specFor(shim, ['sleep', '1000']));
    const { key, pid } = await shim.start(spec);
    expect(namespaceOf(pid, 'user')).not.toBe(namespaceOf('self', 'user'));
    expect(readFileSync(`/proc/${pid}/uid_map`, 'utf8').trim().split(/\s+/)).toEqual(['0', '300000', '65536']);
    expect(statusOf(pid).Uid).toBe('300000\t300000\t300000\t300000');
    expect([...mountsOf(pid).keys()]).toEqual(
      expect.arrayContaining(['/', '/proc', '/sys', '/dev', '/dev/pts', '/dev/mqueue', '/dev/shm', '/dev/null']),
    );
    const joined = await shim.exec(key.container, {
      args: ['sh', '-c', 'id -u; echo x > /dev/shm/y; echo $(ls -ln /dev/shm)'],
    });
    expect(joined.stdout).toMatch(/^0\ntotal 4 -rw-r--r-- 1 0 0 2 /);
    await shim.call('signal', { key, signal: 9 });
    await shim.exit(key);
    await shim.call('forget', { key });
  });

  test('what it writes belongs to its own root', async () => {
    const spec = userNamespaced(specFor(shim, ['sh', '-c', 'echo mine > /file; echo again > /dev/stdout']));
    const { stdout, status } = await shim.run(spec);
    expect([stdout, status.exitCode]).toEqual(['again\n', 0]);
    expect(lstatSync(`${spec.root.overlay!.upper}/file`).uid).toBe(300_000);
  });

  test('a container fits into it: unmasked, it can mount its own /proc, /sys and an overlay', async () => {
    const all = [
      'CAP_SYS_ADMIN',
      'CAP_SETUID',
      'CAP_SETGID',
      'CAP_CHOWN',
      'CAP_DAC_OVERRIDE',
      'CAP_MKNOD',
      'CAP_SYS_CHROOT',
    ];
    const script = [
      'cd /dev/shm; mkdir u w m; mount -t overlay -o lowerdir=/bin,upperdir=u,workdir=w,userxattr o m && echo overlay',
      'busybox unshare -m -p -n -i -u -f sh -c "mount -t proc p /proc && mount -t sysfs -o ro s /sys && echo nested \\$\\$"',
    ].join('; ');
    const spec = userNamespaced(
      specFor(shim, ['sh', '-c', script], {
        process: { capabilities: { bounding: all, effective: all, permitted: all } },
        linux: { maskedPaths: [], readonlyPaths: [] },
      }),
    );
    const { stdout, stderr } = await shim.run(spec);
    expect([stdout, stderr]).toEqual(['overlay\nnested 1\n', '']);
  });

  describe('with its files mapped', () => {
    /** The shim's directory is the state: layers and upper are below it. */
    const mapped = (args: string[], options: SpecOptions = {}) => {
      const spec = userNamespaced(specFor(shim, args, options));
      const scratch = `${shim.directory}/scratch`;
      mkdirSync(scratch, { recursive: true, mode: 0o700 });
      return { ...spec, root: { ...spec.root, mapped: { directory: shim.directory, scratch } } };
    };

    test('an image’s files belong to the container’s users, and what it writes belongs to the image’s', async () => {
      const script =
        'ls -n /bin/busybox; echo mine > /file; chown 5:6 /file; mkdir /dir; ls -n /; ls -dn /etc; rm -r /tmp';
      const spec = mapped(['sh', '-c', script]);
      const { stdout, stderr } = await shim.run(spec);
      expect(stderr).toBe('');
      expect(stdout).toMatch(/^-rwxr-xr-x +1 0 +0 .*\/bin\/busybox\n/);
      expect(stdout).toMatch(/\n-rw-r--r-- +1 5 +6 .*file\n/);
      expect(stdout).toMatch(/\ndr-x?[^\n]* 0 +0 [^\n]*dir\n|\ndrwxr-xr-x +2 0 +0 [^\n]*dir\n/);
      const { upper } = spec.root.overlay!;
      expect(ownerOf(`${upper}/file`)).toEqual([5, 6]);
      expect(ownerOf(`${upper}/dir`)).toEqual([0, 0]);
      expect(ownerOf(`${upper}/tmp`)).toEqual([0, 0]);
      expect(lstatSync(`${upper}/tmp`).isCharacterDevice()).toBe(true);
    });

    test('the marks of layers that root has unpacked count, and its own are where root reads them', async () => {
      const layer = join(shim.directory, 'hides-bin');
      mkdirSync(`${layer}/sys`, { recursive: true });
      mkdirSync(`${layer}/hidden`);
      mkdirSync(`${layer}/../shows/hidden`, { recursive: true });
      writeFileSync(`${layer}/../shows/hidden/file`, '');
      setXattr(`${layer}/hidden`, 'trusted.overlay.opaque', Buffer.from('y'));
      const spec = mapped(['sh', '-c', 'ls /hidden; rm -r /etc && mkdir /etc']);
      spec.root.overlay!.lower.unshift(layer, join(shim.directory, 'shows'));
      const { stdout, stderr } = await shim.run(spec);
      expect([stdout, stderr]).toEqual(['', '']);
      const marks = listXattrs(`${spec.root.overlay!.upper}/etc`);
      expect(marks).toContain('trusted.overlay.opaque');
    });

    test('a bind from where only the host’s root gets has the host’s owners, one of the engine’s the container’s', async () => {
      const closed = mkdtempSync(join(tmpdir(), 'skiff-closed-'));
      try {
        writeFileSync(`${closed}/public`, 'read\n', { mode: 0o644 });
        writeFileSync(`${closed}/secret`, 'not\n', { mode: 0o600 });
        const volume = join(shim.directory, 'volume');
        mkdirSync(volume, { mode: 0o755 });
        chmodSync(closed, 0o711);
        const inner = join(closed, 'inner');
        mkdirSync(inner, { mode: 0o700 });
        writeFileSync(`${inner}/file`, 'deep\n', { mode: 0o644 });
        const spec = mapped([
          'sh',
          '-c',
          'cat /host/public; cat /host/secret 2>&1; cat /one; echo new > /volume/file; ls -dn /host /volume',
        ]);
        spec.mounts = [
          ...spec.mounts,
          { destination: '/host', type: 'bind', source: closed, options: ['rbind', 'ro'] },
          { destination: '/one', type: 'bind', source: `${inner}/file`, options: ['bind'] },
          { destination: '/volume', type: 'bind', source: volume, options: ['rbind'] },
        ];
        const { stdout, stderr } = await shim.run(spec);
        expect(stderr).toBe('');
        const [read, refused, one, host, mine] = stdout.split('\n');
        expect([read, refused, one]).toEqual(['read', "cat: can't open '/host/secret': Permission denied", 'deep']);
        expect(host).toMatch(/ 65534 +65534 /);
        expect(mine).toMatch(/ 0 +0 /);
        expect(ownerOf(`${volume}/file`)).toEqual([0, 0]);
      } finally {
        rmSync(closed, { recursive: true });
      }
    });

    test('many begin at once', async () => {
      const results = await Promise.all(Array.from({ length: 8 }, () => shim.run(mapped(['id', '-u']))));
      expect(results.map(({ stdout, stderr }) => stdout + stderr)).toEqual(Array(8).fill('0\n'));
    });

    test('a process that joins it sees the same, and a start that fails leaves nothing open', async () => {
      const { key } = await shim.start(mapped(['sleep', '1000']));
      const joined = await shim.exec(key.container, { args: ['sh', '-c', 'id -u; echo x > /by-exec; ls -n /by-exec'] });
      expect(joined.stdout).toMatch(/^0\n-rw-r--r-- +1 0 +0 /);
      const open = () => readdirSync(`/proc/${shim.pid}/fd`).length;
      const before = open();
      const wrong = mapped(['true']);
      wrong.root.overlay!.lower.push(join(shim.directory, 'no-such-layer'));
      await expect(shim.run(wrong)).rejects.toThrow(/There is no directory .*no-such-layer/);
      const nowhere = mapped(['true']);
      nowhere.mounts.push({ destination: '/x', type: 'bind', source: '/no/such/source', options: ['bind'] });
      await expect(shim.run(nowhere)).rejects.toThrow(/no\/such\/source/);
      await expect.poll(open).toBeLessThanOrEqual(before);
      expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(shim.directory);
      await shim.call('signal', { key, signal: 9 });
      await shim.exit(key);
      await shim.call('forget', { key });
    });
  });
});

function ownerOf(path: string): [uid: number, gid: number] {
  const { uid, gid } = lstatSync(path);
  return [uid, gid];
}
