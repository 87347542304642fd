import { lstatSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mountsOf, namespaceOf, statusOf } from './testing/proc.ts';
import { specFor, userNamespaced } from './testing/rootfs.ts';
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
});
