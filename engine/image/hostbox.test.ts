import { join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseDigest } from './digest.ts';
import { linkageOf } from './elf.ts';
import { HOSTBOX } from './hostbox.ts';
import type { HostboxVariant } from './hostbox-programs.ts';
import { Images } from './images.ts';
import { expectValid, hasProgram, isRoot, run, scratchDirectory } from './test-support.ts';

const variants: HostboxVariant[] = ['busybox', 'coreutils'];

describe.each(variants)('hostbox made of %s', (variant) => {
  async function build() {
    const directory = scratchDirectory();
    const images = await Images.open(directory);
    const image = await images.ensureHostbox({ variant });
    return { directory, layout: join(directory, 'oci'), images, image };
  }
  const needsBusybox = variant === 'busybox' && !hasProgram('busybox');

  test('is the same to the last byte when it is built again', async ({ skip }) => {
    skip(needsBusybox, 'busybox is not installed: apt-get install busybox-static');
    const [first, second] = [await build(), await build()];
    expect(second.image.manifest).toBe(first.image.manifest);
    expect(second.image.id).toBe(first.image.id);
  });

  test('is built once, with progress, and found as it is from then on', async ({ skip }) => {
    skip(needsBusybox, 'busybox is not installed: apt-get install busybox-static');
    const directory = scratchDirectory();
    const images = await Images.open(directory);
    const steps: string[] = [];
    const onProgress = (step: string) => steps.push(step);
    const [a, b] = await Promise.all([
      images.ensureHostbox({ variant, onProgress }),
      images.ensureHostbox({ variant }),
    ]);
    expect(a).toEqual(b);
    expect(steps.length).toBeGreaterThan(1);
    const again: string[] = [];
    const later = await (await Images.open(directory)).ensureHostbox({ onProgress: (step) => again.push(step) });
    expect(later).toEqual(a);
    expect(again).toEqual([]);
  });

  test('consists of documents that the specification’s schemas accept', async ({ skip }) => {
    skip(needsBusybox, 'busybox is not installed: apt-get install busybox-static');
    const { images, image } = await build();
    expectValid('image-manifest-schema.json', JSON.parse(`${await images.store.read(image.manifest)}`));
    expectValid('config-schema.json', JSON.parse(`${await images.store.read(image.id)}`));
    expect(image.config.config).toMatchObject({ Cmd: ['sh'], Env: [expect.stringMatching(/^PATH=.*:\/bin$/)] });
  });

  test.skipIf(!isRoot)('runs: a shell, the usual commands, three users, the greeting', async ({ skip }) => {
    skip(needsBusybox, 'busybox is not installed: apt-get install busybox-static');
    const { images, image } = await build();
    const [root] = await images.prepare(image);
    const inside = (script: string) =>
      run('env', ['-i', ...(image.config.config?.Env ?? []), 'chroot', root!, 'sh', '-euc', script]);
    expect(inside('hello')).toMatch(/Ahoy from inside a container/);
    expect(inside('for user in root sailor nobody; do id -u $user; done')).toBe('0\n1000\n65534\n');
    expect(inside('ls -l /home | tail -1')).toMatch(/sailor +sailor/);
    expect(inside('stat -c %a /tmp /root /var/tmp')).toBe('1777\n700\n1777\n');
    expect(
      inside('seq 3 | sort -r | head -1; echo a b | awk "{print \\$2}" | tr b c; sleep 0; env true; test -x /bin/sh'),
    ).toBe('3\nc\n');
    expect(inside('ip link help 2>&1 | head -1; ps --help 2>&1 | head -1; mount --help 2>&1 | head -1')).toMatch(
      /Usage|BusyBox/i,
    );
    expect(inside('for dir in dev proc sys etc; do test -d /$dir; done; cat /etc/os-release')).toMatch(/^ID=hostbox$/m);
    // Every program that is there can be loaded: none lacks a library.
    expect(inside('for f in /bin/* /sbin/*; do test -e "$f" || echo "$f"; done')).toBe('');
    expect(() => inside('no-such-command')).toThrow(/not found/);
  });

  test.skipIf(!isRoot)(
    'has no program that gains privileges and none that its own loader cannot load',
    async ({ skip }) => {
      skip(needsBusybox, 'busybox is not installed: apt-get install busybox-static');
      const { images, image } = await build();
      const [root] = await images.prepare(image);
      expect(run('find', [root!, '-type', 'f', '-perm', '/6000'])).toBe('');
      for (const path of run('find', ['-L', join(root!, 'usr/bin'), join(root!, 'usr/sbin'), '-type', 'f'])
        .trim()
        .split('\n')) {
        const linkage = linkageOf(path);
        if (linkage?.kind !== 'dynamic') continue;
        expect(run('chroot', [root!, linkage.loader, '--list', relative(root!, path)]), path).not.toMatch(/not found/);
      }
    },
  );

  test('is read by skopeo', async ({ skip }) => {
    skip(needsBusybox, 'busybox is not installed: apt-get install busybox-static');
    skip(!hasProgram('skopeo'), 'skopeo is not installed: apt-get install skopeo');
    const { layout, image } = await build();
    const inspected = JSON.parse(run('skopeo', ['inspect', `oci:${layout}:docker.io/library/${HOSTBOX}`]));
    expect(parseDigest(inspected.Digest)).toBe(image.manifest);
    expect(inspected.Layers).toEqual(image.config.rootfs.diff_ids);
    expect(inspected.Os).toBe('linux');
  });

  test.skipIf(!isRoot)('is unpacked by umoci to the same tree as by us', async ({ skip }) => {
    skip(needsBusybox, 'busybox is not installed: apt-get install busybox-static');
    skip(!hasProgram('umoci'), 'umoci is not installed: apt-get install umoci');
    const { directory, layout, images, image } = await build();
    const bundle = join(directory, 'bundle');
    // umoci takes what is after the last colon for the tag, and a tag has no slash for it.
    run('skopeo', ['copy', '-q', `oci:${layout}:docker.io/library/${HOSTBOX}`, `oci:${directory}/copy:hostbox`]);
    run('umoci', ['unpack', '--image', `${directory}/copy:hostbox`, bundle]);
    const [root] = await images.prepare(image);
    const list = (tree: string) =>
      run('find', ['.', '-printf', '%p %y %m %U:%G %s %T@ %l\n'], { cwd: tree })
        .split('\n')
        // Directories have the size the file system gives them.
        .map((line) => (/ d \d+ /.test(line) ? line.replace(/ \d+ (?=\d+\.\d+ )/, ' ') : line))
        .sort();
    expect(list(root!)).toEqual(list(join(bundle, 'rootfs')));
    expect(run('diff', ['-r', '--no-dereference', root!, join(bundle, 'rootfs')])).toBe('');
  });
});
