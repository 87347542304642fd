import {
  chmodSync,
  cpSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { mount, umount } from '#kernel/mounts';
import { getXattr, setXattr } from '#kernel/xattr';
import { digestOf } from './digest.ts';
import { applyLayer } from './layer.ts';
import { diffLayer, diffTrees } from './layer-diff.ts';
import { describeTree, isRoot, run, scratchDirectory } from './test-support.ts';
import { randomTree } from './testdata/random-tree.ts';

const bytes = (tar: Iterable<Buffer>) => Buffer.concat([...tar]);
const listed = (tar: Buffer) => run('tar', ['-tf', '-'], { input: tar }).split('\n').filter(Boolean);

/** An overlay of a lower tree, to change at will. */
function overlay(): { lower: string; upper: string; merged: string } {
  const scratch = scratchDirectory();
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => join(scratch, name)) as [
    string,
    string,
    string,
    string,
  ];
  for (const directory of [lower, upper, work, merged]) mkdirSync(directory);
  return { lower, upper, merged };
}

function mountOverlay({ lower, upper, merged }: { lower: string; upper: string; merged: string }): void {
  const data = `lowerdir=${lower},upperdir=${upper},workdir=${join(upper, '../work')},index=off,redirect_dir=off`;
  mount({ source: 'overlay', target: merged, type: 'overlay', data });
  onTestFinished(() => umount(merged));
}

describe.skipIf(!isRoot)('the layer of an overlay’s upperdir (needs root)', () => {
  test('has whiteouts, opaque directories, hard links and attributes, sorted, and no sockets', async () => {
    const room = overlay();
    mkdirSync(join(room.lower, 'replaced'));
    writeFileSync(join(room.lower, 'replaced/old'), '1');
    writeFileSync(join(room.lower, 'gone'), '1');
    writeFileSync(join(room.lower, 'kept'), '1');
    mountOverlay(room);
    const { merged } = room;
    rmSync(join(merged, 'replaced'), { recursive: true });
    mkdirSync(join(merged, 'replaced'));
    writeFileSync(join(merged, 'replaced/new'), '2');
    unlinkSync(join(merged, 'gone'));
    writeFileSync(join(merged, 'z'), 'linked');
    linkSync(join(merged, 'z'), join(merged, 'a'));
    symlinkSync('a', join(merged, 'Link'));
    run('mkfifo', [join(merged, 'fifo')]);
    writeFileSync(join(merged, 'ping'), '');
    const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
    setXattr(join(merged, 'ping'), 'security.capability', capability);
    const server = createServer().listen(join(merged, 'socket'));
    await new Promise((done) => server.once('listening', done));
    onTestFinished(() => void server.close());

    const tar = bytes(diffLayer(room.upper));
    expect(listed(tar)).toEqual([
      'Link',
      'a',
      'fifo',
      '.wh.gone',
      'ping',
      'replaced/',
      'replaced/.wh..wh..opq',
      'replaced/new',
      'z',
    ]);
    expect(run('tar', ['-tvf', '-'], { input: tar })).toMatch(/z link to a/);
    const again = scratchDirectory();
    await applyLayer(Readable.from([tar]), again, { whiteouts: 'overlay' });
    expect(getXattr(join(again, 'ping'), 'security.capability')).toEqual(capability);
    expect(digestOf(bytes(diffLayer(again)))).toBe(digestOf(tar));
  });

  test('a tree that says it needs its lower layers is refused', () => {
    const { upper } = overlay();
    mkdirSync(join(upper, 'moved'));
    setXattr(join(upper, 'moved'), 'trusted.overlay.redirect', Buffer.from('/elsewhere'));
    expect(() => bytes(diffLayer(upper))).toThrow(/moved.*redirect_dir=off/);
  });

  test('property: lower and its layer together are the tree that was changed', async () => {
    const change = fc.record({ pick: fc.nat(), kind: fc.constantFrom('remove', 'edit', 'rename', 'chmod', 'replace') });
    await fc.assert(
      fc.asyncProperty(
        randomTree({ longNames: true }),
        fc.array(change, { minLength: 1, maxLength: 6 }),
        async (tree, changes) => {
          const room = overlay();
          tree.make(room.lower);
          mountOverlay(room);
          for (const each of changes) apply(room.merged, each);
          const changed = describeTree(room.merged);
          for (const tar of [bytes(diffLayer(room.upper)), bytes(diffTrees(room.lower, room.merged))]) {
            const made = join(scratchDirectory(), 'made');
            run('cp', ['-a', room.lower, made]);
            await applyLayer(Readable.from([tar]), made, { whiteouts: 'remove' });
            expect(withoutLinksAndTimesOfDirectories(describeTree(made))).toEqual(
              withoutLinksAndTimesOfDirectories(changed),
            );
          }
        },
      ),
      { numRuns: 15 },
    );
  });
});

/** A layer says nothing of the root; a removal changes the time of a directory that is not in the layer for it. */
function withoutLinksAndTimesOfDirectories(described: Record<string, string>): Record<string, string> {
  const { '.': _, ...rest } = described;
  return Object.fromEntries(
    Object.entries(rest).map(([path, facts]) => [
      path,
      // Copying up one of several names breaks their link: overlayfs with index=off.
      facts.replace(/ same as .*/, '').replace(/^(mode=4\d+ .*) mtime=\d+/, '$1'),
    ]),
  );
}

function apply(root: string, { pick, kind }: { pick: number; kind: string }): void {
  const paths = run('find', ['.', '-mindepth', '1', '-print0'], { cwd: root }).split('\0').filter(Boolean).sort();
  if (paths.length === 0) return;
  const path = join(root, paths[pick % paths.length]!);
  const isDirectory = describeKind(path) === 'directory';
  if (kind === 'remove') rmSync(path, { recursive: true });
  else if (kind === 'rename') {
    // A directory of a lower layer cannot be renamed without redirect_dir: programs copy it then.
    if (!isDirectory) renameSync(path, join(root, 'renamed'));
    // A name that is free: cpSync follows a dangling link of the same name.
    else
      cpSync(path, join(root, `copied-${readdirSync(root).length}`), {
        recursive: true,
        verbatimSymlinks: true,
        filter: (each) => describeKind(each) !== 'other',
      });
  } else if (kind === 'chmod') {
    if (!lstatSync(path).isSymbolicLink()) chmodSync(path, 0o711);
  } else if (kind === 'replace') {
    rmSync(path, { recursive: true });
    mkdirSync(path);
    writeFileSync(join(path, 'new'), 'new');
  } else if (!isDirectory) {
    rmSync(path);
    writeFileSync(path, 'edited');
  }
}

function describeKind(path: string): string {
  const kind = run('stat', ['-c', '%F', path]).trim();
  return kind === 'directory' ? 'directory' : /file|link/.test(kind) && !/special/.test(kind) ? 'file' : 'other';
}

describe('the difference of two trees', () => {
  test('is what is new, changed or gone, and no more', () => {
    const scratch = scratchDirectory();
    const [lower, upper] = [join(scratch, 'lower'), join(scratch, 'upper')];
    mkdirSync(join(lower, 'd'), { recursive: true });
    writeFileSync(join(lower, 'd/same'), 'same');
    writeFileSync(join(lower, 'd/edited'), 'old');
    writeFileSync(join(lower, 'gone'), 'x');
    writeFileSync(join(lower, 'modes'), 'x');
    mkdirSync(join(lower, 'was-directory'));
    run('cp', ['-a', lower, upper]);
    writeFileSync(join(upper, 'd/edited'), 'new');
    lutimesSync(join(upper, 'd/edited'), 1000, 1000);
    rmSync(join(upper, 'gone'));
    chmodSync(join(upper, 'modes'), 0o4755);
    rmSync(join(upper, 'was-directory'), { recursive: true });
    writeFileSync(join(upper, 'was-directory'), 'a file');
    expect(listed(bytes(diffTrees(lower, upper)))).toEqual(['d/edited', 'modes', 'was-directory', '.wh.gone']);
    expect(listed(bytes(diffTrees(lower, lower)))).toEqual([]);
  });

  test('leaves out what it is told to', () => {
    const upper = scratchDirectory();
    mkdirSync(join(upper, 'proc/1'), { recursive: true });
    writeFileSync(join(upper, 'file'), 'x');
    expect(listed(bytes(diffLayer(upper, { exclude: (path) => path === 'proc' })))).toEqual(['file']);
  });

  test('does not depend on the order in which files were made, nor on where the tree is', () => {
    const tars = [
      ['b', 'a', 'C'],
      ['C', 'b', 'a'],
    ].map((names) => {
      const upper = scratchDirectory();
      for (const name of names) {
        writeFileSync(join(upper, name), name);
        lutimesSync(join(upper, name), 1.75, 1.75);
      }
      return bytes(diffLayer(upper));
    });
    expect(digestOf(tars[0]!)).toBe(digestOf(tars[1]!));
    expect(listed(tars[0]!)).toEqual(['C', 'a', 'b']);
  });
});
