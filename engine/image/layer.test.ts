import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { getXattr, setXattr } from '#kernel/xattr';
import { packEntries } from './archive.ts';
import { HostileArchive } from './confine.ts';
import { type ApplyOptions, applyLayer } from './layer.ts';
import { describeTree, isRoot, type RawEntry, rawTar, run, scratchDirectory } from './test-support.ts';
import { randomTree } from './testdata/random-tree.ts';

/** In the directory of the layer and beside it there is something to attack. */
function target(): { directory: string; outside: string } {
  const scratch = scratchDirectory();
  const directory = join(scratch, 'layer');
  const outside = join(scratch, 'outside');
  mkdirSync(directory);
  mkdirSync(outside);
  writeFileSync(join(outside, 'victim'), 'untouched');
  return { directory, outside };
}

function apply(tar: Buffer, directory: string, options: ApplyOptions = { whiteouts: 'remove' }) {
  // In pieces that never end where a header does.
  const pieces = Array.from({ length: Math.ceil(tar.length / 1000) }, (_, i) => tar.subarray(i * 1000, (i + 1) * 1000));
  return applyLayer(Readable.from(pieces), directory, options);
}

describe('a hostile archive is refused, and nothing outside is touched', () => {
  const cases: [string, (outside: string) => RawEntry[]][] = [
    ['climbs by name', () => [{ name: '../outside/victim', content: 'x' }]],
    ['climbs in the middle of a name', () => [{ name: 'a/../../outside/victim', content: 'x' }]],
    ['climbs with the last part of a name', () => [{ name: 'a/../..', type: '5', mode: 0o777 }]],
    ['names the parent and nothing else', () => [{ name: '..', content: 'x' }]],
    ['climbs and comes back', () => [{ name: '../layer/a', content: 'x' }]],
    ['has an absolute path', (outside) => [{ name: `${outside}/victim`, content: 'x' }]],
    [
      'climbs by a relative symbolic link',
      () => [
        { name: 'a', type: '2', linkname: '../outside' },
        { name: 'a/victim', content: 'x' },
      ],
    ],
    [
      'climbs by an absolute symbolic link',
      (outside) => [
        { name: 'a', type: '2', linkname: outside },
        { name: 'a/victim', content: 'x' },
      ],
    ],
    [
      'climbs by a symbolic link to a link',
      () => [
        { name: 'a', type: '2', linkname: '..' },
        { name: 'b', type: '2', linkname: 'a/outside' },
        { name: 'b/victim', content: 'x' },
      ],
    ],
    [
      'makes a directory behind a symbolic link',
      (outside) => [
        { name: 'a', type: '2', linkname: outside },
        { name: 'a/new/', type: '5' },
      ],
    ],
    [
      'goes in circles of symbolic links',
      () => [
        { name: 'a', type: '2', linkname: 'b' },
        { name: 'b', type: '2', linkname: 'a' },
        { name: 'a/x', content: 'x' },
      ],
    ],
    ['links hard to a file outside by name', () => [{ name: 'a', type: '1', linkname: '../outside/victim' }]],
    [
      'links hard to a file outside by an absolute name',
      (outside) => [{ name: 'a', type: '1', linkname: `${outside}/victim` }],
    ],
    [
      'links hard to a file outside through a symbolic link',
      (outside) => [
        { name: 'a', type: '2', linkname: outside },
        { name: 'b', type: '1', linkname: 'a/victim' },
      ],
    ],
    ['links hard to a file it does not have', () => [{ name: 'a', type: '1', linkname: 'nothing' }]],
    [
      'links hard to a directory',
      () => [
        { name: 'd/', type: '5' },
        { name: 'a', type: '1', linkname: 'd' },
      ],
    ],
    ['whites out the parent', () => [{ name: '.wh...' }]],
    ['whites out the directory itself', () => [{ name: 'a/.wh..' }]],
    ['whites out nothing', () => [{ name: '.wh.' }]],
    [
      'whites out through a symbolic link',
      (outside) => [{ name: 'a', type: '2', linkname: outside }, { name: 'a/.wh.victim' }],
    ],
    [
      'empties a directory through a symbolic link',
      (outside) => [{ name: 'a', type: '2', linkname: outside }, { name: 'a/.wh..wh..opq' }],
    ],
    ['makes the root a file', () => [{ name: './', type: '0' }]],
    ['makes the root a symbolic link', (outside) => [{ name: '.', type: '2', linkname: outside }]],
    [
      'has a file below a file',
      () => [
        { name: 'a', content: 'x' },
        { name: 'a/b', content: 'x' },
      ],
    ],
    ['forges an overlay whiteout as a device', () => [{ name: 'a', type: '3', device: [0, 0] }]],
    ['has an entry of an unknown kind', () => [{ name: 'a', type: 'S', content: 'x' }]],
    ['has a symbolic link without a target', () => [{ name: 'a', type: '2' }]],
    ['has an entry below a whiteout', () => [{ name: '.wh.a/b', content: 'x' }]],
    ['has a hard link to a whiteout', () => [{ name: '.wh.a' }, { name: 'b', type: '1', linkname: 'a' }]],
    ['has a name that is not UTF-8', () => [{ name: 'a', content: 'x' }]],
  ];

  test.each(cases)('%s', async (title, entries) => {
    const { directory, outside } = target();
    const before = describeTree(outside);
    const tar = rawTar(...entries(outside));
    if (title.includes('UTF-8')) {
      // 'a' becomes the byte 0xff; the checksum is a sum of bytes.
      tar[0] = 0xff;
      tar.write(
        `${tar
          .subarray(0, 512)
          .reduce((sum, byte, i) => sum + (i >= 148 && i < 156 ? 32 : byte), 0)
          .toString(8)
          .padStart(6, '0')}\0 `,
        148,
      );
    }
    for (const whiteouts of ['remove', 'overlay'] as const) {
      await expect(apply(tar, directory, { whiteouts })).rejects.toBeInstanceOf(HostileArchive);
    }
    expect(describeTree(outside)).toEqual(before);
  });

  test.each([
    ['a name of more than 255 bytes', 'n'.repeat(256)],
    ['more than 1,024 directories in each other', 'd/'.repeat(1025)],
  ])('%s is refused', async (_, path) => {
    const { directory } = target();
    const entry = { type: 'directory' as const, path: path.replace(/\/$/, ''), mode: 0o755, mtime: new Date(0) };
    await expect(apply(Buffer.concat([...packEntries([entry])]), directory)).rejects.toThrow(HostileArchive);
    expect(readdirSync(directory)).toEqual([]);
  });

  test('a device node is refused where only root could make one', async () => {
    const { directory } = target();
    const tar = rawTar({ name: 'dev/null', type: '3', device: [1, 3] });
    const applying = apply(tar, directory, { whiteouts: 'overlay', ownership: false });
    await expect(applying).rejects.toThrow(/"dev\/null" is a device node, which only root can make/);
  });

  test('a file is never written through a link that stands at its own name', async () => {
    const { directory, outside } = target();
    await apply(
      rawTar(
        { name: 'a', type: '2', linkname: join(outside, 'victim') },
        { name: 'a', content: 'mine' },
        { name: 'b', type: '2', linkname: join(outside, 'victim') },
        { name: 'c', type: '1', linkname: 'b' },
        { name: 'c', content: 'mine too', mode: 0o777 },
      ),
      directory,
    );
    expect(readFileSync(join(outside, 'victim'), 'utf8')).toBe('untouched');
    expect(statSync(join(outside, 'victim')).mode & 0o777).toBe(0o644);
    expect(readFileSync(join(directory, 'a'), 'utf8')).toBe('mine');
    expect(readlinkSync(join(directory, 'b'))).toBe(join(outside, 'victim'));
  });

  test('a directory that became a link to the outside gets no mode or time through it', async () => {
    const { directory, outside } = target();
    const before = statSync(outside);
    await apply(
      rawTar(
        { name: 'd/', type: '5', mode: 0o777 },
        { name: 'd/e/', type: '5', mode: 0o777 },
        { name: 'd', type: '2', linkname: outside },
      ),
      directory,
    );
    expect(statSync(outside).mode).toBe(before.mode);
    expect(statSync(outside).mtimeMs).toBe(before.mtimeMs);
  });

  test('a truncated archive and what is not an archive are errors', async () => {
    const { directory } = target();
    const tar = rawTar({ name: 'a', content: 'x'.repeat(5000) });
    await expect(apply(tar.subarray(0, 2000), directory)).rejects.toThrow();
    await expect(apply(Buffer.from('this is not a tar'.repeat(100)), directory)).rejects.toThrow(/tar/i);
  });
});

describe('a link inside the layer is followed as the container will follow it', () => {
  test.each([['usr/lib'], ['/usr/lib'], ['./usr/../usr/lib'], ['usr/lib/']])('lib → %s', async (linkname) => {
    const { directory } = target();
    await apply(
      rawTar({ name: 'usr/lib/', type: '5' }, { name: 'lib', type: '2', linkname }, { name: 'lib/x', content: 'x' }),
      directory,
    );
    expect(readFileSync(join(directory, 'usr/lib/x'), 'utf8')).toBe('x');
    expect(lstatSync(join(directory, 'lib')).isSymbolicLink()).toBe(true);
  });
});

describe('of two entries with one name the later one is there', () => {
  test.each<[string, RawEntry[], string]>([
    [
      'a file over a file',
      [
        { name: 'a', content: '1' },
        { name: 'a', content: '2' },
      ],
      'file',
    ],
    [
      'a file over a full directory',
      [
        { name: 'a/b/c', content: '1' },
        { name: 'a', content: '2' },
      ],
      'file',
    ],
    [
      'a directory over a file',
      [
        { name: 'a', content: '1' },
        { name: 'a/', type: '5' },
      ],
      'directory',
    ],
    [
      'a directory over a link',
      [
        { name: 'a', type: '2', linkname: '/' },
        { name: 'a/', type: '5' },
      ],
      'directory',
    ],
    [
      'a link over a file',
      [
        { name: 'a', content: '1' },
        { name: 'a', type: '2', linkname: 'b' },
      ],
      'link',
    ],
  ])('%s', async (_, entries, kind) => {
    const { directory } = target();
    await apply(rawTar(...entries), directory);
    const info = lstatSync(join(directory, 'a'));
    expect(info.isFile() ? 'file' : info.isDirectory() ? 'directory' : 'link').toBe(kind);
  });

  test('a directory that comes again keeps what is in it and takes the new mode', async () => {
    const { directory } = target();
    await apply(
      rawTar(
        { name: 'a/', type: '5', mode: 0o755 },
        { name: 'a/b', content: '1' },
        { name: 'a/', type: '5', mode: 0o700 },
      ),
      directory,
    );
    expect(readdirSync(join(directory, 'a'))).toEqual(['b']);
    expect(statSync(join(directory, 'a')).mode & 0o7777).toBe(0o700);
  });
});

describe('whiteouts, when layers are applied on top of each other', () => {
  const lower = rawTar(
    { name: 'dir/', type: '5' },
    { name: 'dir/old', content: '1' },
    { name: 'dir/deep/older', content: '1' },
    { name: 'file', content: '1' },
    { name: 'other', content: '1' },
  );
  test.each<[string, RawEntry[], string[]]>([
    ['a whiteout removes the lower file', [{ name: '.wh.file' }], ['dir', 'other']],
    ['a whiteout removes the lower directory', [{ name: '.wh.dir' }], ['file', 'other']],
    ['a whiteout of nothing is passed over', [{ name: '.wh.none' }], ['dir', 'file', 'other']],
    [
      'a whiteout leaves what the same layer made before it',
      [{ name: 'file', content: '2' }, { name: '.wh.file' }],
      ['dir', 'file', 'other'],
    ],
    [
      'a whiteout leaves what the same layer makes after it',
      [{ name: '.wh.file' }, { name: 'file', content: '2' }],
      ['dir', 'file', 'other'],
    ],
    [
      'AUFS bookkeeping is passed over',
      [{ name: '.wh..wh.plnk/', type: '5' }, { name: '.wh..wh.aufs' }],
      ['dir', 'file', 'other'],
    ],
  ])('%s', async (_, entries, left) => {
    const { directory } = target();
    await apply(lower, directory);
    await apply(rawTar(...entries), directory);
    expect(readdirSync(directory).sort()).toEqual(left);
  });

  test.each<[string, (entries: RawEntry[]) => RawEntry[]]>([
    ['before', (made) => [{ name: 'dir/.wh..wh..opq' }, ...made]],
    ['after', (made) => [...made, { name: 'dir/.wh..wh..opq' }]],
  ])('an opaque directory keeps only what its own layer has, marked %s it', async (_, order) => {
    const { directory } = target();
    await apply(lower, directory);
    await apply(
      rawTar(
        ...order([
          { name: 'dir/', type: '5' },
          { name: 'dir/new', content: '2' },
          { name: 'dir/deep/newer', content: '2' },
        ]),
      ),
      directory,
    );
    expect(readdirSync(join(directory, 'dir')).sort()).toEqual(['deep', 'new']);
    expect(readdirSync(join(directory, 'dir/deep'))).toEqual(['newer']);
  });
});

describe.skipIf(!isRoot)('whiteouts of a single layer, in overlayfs’s form (needs root)', () => {
  const overlay = { whiteouts: 'overlay' } as const;
  const isWhiteout = (path: string) => lstatSync(path).isCharacterDevice() && lstatSync(path).rdev === 0;

  test('a whiteout is device 0:0', async () => {
    const { directory } = target();
    await apply(rawTar({ name: 'a/.wh.gone' }), directory, overlay);
    expect(isWhiteout(join(directory, 'a/gone'))).toBe(true);
  });

  test.each<[string, RawEntry[]]>([
    ['before', [{ name: '.wh.d' }, { name: 'd/', type: '5' }, { name: 'd/x', content: 'x' }]],
    ['after', [{ name: 'd/', type: '5' }, { name: 'd/x', content: 'x' }, { name: '.wh.d' }]],
  ])('a directory whose whiteout came %s it is opaque', async (_, entries) => {
    const { directory } = target();
    await apply(rawTar(...entries), directory, overlay);
    expect(`${getXattr(join(directory, 'd'), 'trusted.overlay.opaque')}`).toBe('y');
    expect(readdirSync(join(directory, 'd'))).toEqual(['x']);
  });

  test('a directory that is only named by what is in it hides the lower one, too, after its whiteout', async () => {
    const { directory } = target();
    await apply(rawTar({ name: '.wh.d' }, { name: 'd/x', content: 'x' }), directory, overlay);
    expect(`${getXattr(join(directory, 'd'), 'trusted.overlay.opaque')}`).toBe('y');
  });

  test('without privileges the marks are those of userxattr', async () => {
    const { directory } = target();
    const tar = rawTar({ name: 'd/.wh..wh..opq' }, { name: '.wh.gone' });
    await apply(tar, directory, { whiteouts: 'overlay', ownership: false });
    expect(`${getXattr(join(directory, 'd'), 'user.overlay.opaque')}`).toBe('y');
    expect(isWhiteout(join(directory, 'gone'))).toBe(true);
  });

  test('the opaque marker becomes an attribute of its directory', async () => {
    const { directory } = target();
    await apply(rawTar({ name: 'd/.wh..wh..opq' }), directory, overlay);
    expect(`${getXattr(join(directory, 'd'), 'trusted.overlay.opaque')}`).toBe('y');
    expect(readdirSync(join(directory, 'd'))).toEqual([]);
  });

  test('a layer cannot set overlayfs’s own attributes, but its files keep theirs', async () => {
    const { directory } = target();
    const tree = join(directory, '..', 'tree');
    mkdirSync(tree);
    writeFileSync(join(tree, 'ping'), '');
    mkdirSync(join(tree, 'd'));
    // cap_net_raw=ep: struct vfs_cap_data, linux/capability.h.
    const capability = '0100000200200000000000000000000000000000';
    setXattr(join(tree, 'ping'), 'security.capability', Buffer.from(capability, 'hex'));
    setXattr(join(tree, 'ping'), 'user.note', Buffer.from('kept'));
    setXattr(join(tree, 'd'), 'trusted.overlay.redirect', Buffer.from('/etc'));
    setXattr(join(tree, 'd'), 'user.overlay.opaque', Buffer.from('y'));
    run('tar', [
      '--xattrs',
      '--xattrs-include=*',
      '--format=pax',
      '-C',
      tree,
      '-cf',
      join(directory, '..', 'x.tar'),
      '.',
    ]);
    await apply(readFileSync(join(directory, '..', 'x.tar')), directory, overlay);
    expect(getXattr(join(directory, 'ping'), 'security.capability')?.toString('hex')).toBe(capability);
    expect(`${getXattr(join(directory, 'ping'), 'user.note')}`).toBe('kept');
    expect(getXattr(join(directory, 'd'), 'trusted.overlay.redirect')).toBe(null);
    expect(getXattr(join(directory, 'd'), 'user.overlay.opaque')).toBe(null);
  });
});

describe.skipIf(!isRoot)('entries keep what they are (needs root)', () => {
  test('devices, FIFOs, set-user-ID bits, sticky directories, large ids', async () => {
    const { directory } = target();
    await apply(
      rawTar(
        { name: 'null', type: '3', device: [1, 3], mode: 0o666 },
        { name: 'loop', type: '4', device: [7, 300], mode: 0o660 },
        { name: 'fifo', type: '6', mode: 0o622 },
        { name: 'suid', content: 'x', mode: 0o4755, uid: 1_234_567 },
        { name: 'tmp/', type: '5', mode: 0o1777 },
        { name: 'closed/', type: '5', mode: 0 },
        { name: 'closed/x', content: 'x', mode: 0 },
      ),
      directory,
    );
    expect(
      execFileSync('stat', ['-c', '%n %F %a %t:%T %u', 'null', 'loop', 'fifo', 'suid', 'tmp', 'closed', 'closed/x'], {
        cwd: directory,
        encoding: 'utf8',
      }),
    ).toBe(
      `null character special file 666 1:3 0
loop block special file 660 7:12c 0
fifo fifo 622 0:0 0
suid regular file 4755 0:0 1234567
tmp directory 1777 0:0 0
closed directory 0 0:0 0
closed/x regular file 0 0:0 0
`,
    );
  });

  test('times are kept to the nanosecond, also before 1970', async () => {
    const { directory } = target();
    const tree = join(directory, '..', 'tree');
    mkdirSync(tree);
    const times = { now: '@1700000000.123456789', before: '@-2.000000001' };
    for (const [name, time] of Object.entries(times)) run('touch', ['-d', time, join(tree, name)]);
    const tar = join(directory, '..', 'x.tar');
    run('tar', ['--format=pax', '-C', tree, '-cf', tar, '.']);
    await apply(readFileSync(tar), directory);
    for (const name of Object.keys(times)) {
      const [ours, theirs] = [directory, tree].map((root) => lstatSync(join(root, name), { bigint: true }).mtimeNs);
      expect(ours).toBe(theirs);
    }
  });

  test.each(['gnu', 'pax', 'ustar'])(
    'property: a tree packed by GNU tar as %s is what GNU tar makes of it',
    async (format) => {
      await fc.assert(
        fc.asyncProperty(randomTree({ longNames: format === 'gnu' || format === 'pax' }), async (tree) => {
          const scratch = run('mktemp', ['-d']).trim();
          const [source, theirs, ours, tar] = ['source', 'theirs', 'ours', 'x.tar'].map((name) =>
            join(scratch, name),
          ) as [string, string, string, string];
          try {
            for (const directory of [source, theirs, ours]) mkdirSync(directory);
            tree.make(source);
            run('tar', [`--format=${format}`, '--numeric-owner', '-C', source, '-cf', tar, '.']);
            run('tar', ['--same-owner', '--numeric-owner', '-C', theirs, '-xpf', tar]);
            const applied = await apply(readFileSync(tar), ours);
            expect(describeTree(ours)).toEqual(describeTree(theirs));
            expect(applied.entries).toBe(Number(run('sh', ['-c', `tar -tf ${tar} | wc -l`])));
          } finally {
            run('rm', ['-rf', scratch]);
          }
        }),
        { numRuns: 15 },
      );
    },
  );

  test.each([
    ['gnu', []],
    ['pax', ['--sparse-version=0.0']],
    ['pax', ['--sparse-version=0.1']],
    ['pax', ['--sparse-version=1.0']],
  ])('files with holes are whole, and keep their holes: GNU tar --sparse, %s %s', async (format, version) => {
    const { directory } = target();
    const tree = join(directory, '..', 'tree');
    mkdirSync(tree);
    const holes = 30;
    for (const [name, size] of Object.entries({
      'only-a-hole': 10 << 20,
      'ends-in-a-hole': 9 << 20,
      many: holes << 17,
    })) {
      execFileSync('truncate', ['-s', `${size}`, join(tree, name)]);
    }
    const pieces = openSync(join(tree, 'many'), 'r+');
    for (let i = 0; i < holes; i++) writeSync(pieces, Buffer.alloc(5000, i + 1), 0, 5000, i << 17);
    writeSync(pieces, 'the end', (holes << 17) - 7);
    closeSync(pieces);
    const start = openSync(join(tree, 'ends-in-a-hole'), 'r+');
    writeSync(start, 'start', 100_000);
    closeSync(start);
    writeFileSync(join(tree, 'z'), 'what follows');
    const tar = join(directory, '..', 'x.tar');
    run('tar', ['--sparse', ...version, `--format=${format}`, '--numeric-owner', '-C', tree, '-cf', tar, '.']);
    await apply(readFileSync(tar), directory);
    expect(describeTree(directory)).toEqual(describeTree(tree));
    for (const name of readdirSync(tree)) {
      expect(statSync(join(directory, name)).blocks, name).toBeLessThanOrEqual(statSync(join(tree, name)).blocks);
    }
  });
});

test('a source that fails in the middle fails the layer with its own error', async () => {
  const { directory } = target();
  const tar = rawTar({ name: 'a', content: 'x'.repeat(5000) });
  const broken = Readable.from(
    (async function* () {
      yield tar.subarray(0, 2000);
      throw new Error('connection lost');
    })(),
  );
  await expect(applyLayer(broken, directory, { whiteouts: 'remove' })).rejects.toThrow('connection lost');
});

test('what the layer was told to unpack over a link in the target stays inside', async () => {
  const { directory, outside } = target();
  symlinkSync(outside, join(directory, 'lower'));
  await expect(apply(rawTar({ name: 'lower/victim', content: 'x' }), directory)).rejects.toBeInstanceOf(HostileArchive);
  expect(existsSync(join(outside, 'victim'))).toBe(true);
  expect(readFileSync(join(outside, 'victim'), 'utf8')).toBe('untouched');
});
