import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ArchiveEntry, packArchive } from './archive.ts';
import { applyLayer } from './layer.ts';
import { bytesOf, describeTree, isRoot, run, scratchDirectory } from './test-support.ts';

const mtime = new Date('2001-09-09T01:46:40Z');

test('the same entries give the same bytes', async () => {
  const source = join(scratchDirectory(), 'file');
  writeFileSync(source, 'from the host');
  const entries = (): ArchiveEntry[] => [
    { type: 'directory', path: '', mode: 0o755, mtime },
    { type: 'file', path: 'a', mode: 0o644, mtime, content: 'x'.repeat(1000) },
    { type: 'file', path: 'b', mode: 0o644, mtime, source, size: 13 },
    { type: 'link', path: 'c', mode: 0o644, mtime, target: 'a' },
  ];
  const first = await bytesOf(packArchive(entries()));
  expect(await bytesOf(packArchive(entries()))).toEqual(first);
  expect(first.length % 512).toBe(0);
});

test.each([
  ['has shrunk', 20],
  ['has grown', 5],
])('a file that %s since it was measured fails the archive', async (_, size) => {
  const source = join(scratchDirectory(), 'file');
  writeFileSync(source, 'ten bytes!');
  const entry: ArchiveEntry = { type: 'file', path: 'a', mode: 0o644, mtime, source, size };
  await expect(bytesOf(packArchive([entry]))).rejects.toThrow();
});

test('a file that is not there fails the archive', async () => {
  const entry: ArchiveEntry = { type: 'file', path: 'a', mode: 0o644, mtime, source: '/nonexistent/file', size: 1 };
  await expect(bytesOf(packArchive([entry]))).rejects.toThrow(/ENOENT/);
});

const entry: fc.Arbitrary<ArchiveEntry> = fc
  .tuple(
    fc.record({
      path: fc
        .array(
          fc.oneof(
            fc.stringMatching(/^[a-f]{1,3}$/),
            fc.constantFrom('ünï', 'a b', 'new\nline'),
            fc.constant('l'.repeat(120)),
          ),
          { minLength: 1, maxLength: 1 },
        )
        .map((parts) => parts.join('/')),
      mode: fc.integer({ min: 0, max: 0o7777 }),
      uid: fc.constantFrom(0, 1000, 262_143, 262_144, 4_000_000_000),
      gid: fc.constantFrom(0, 65534, 2_000_000),
      mtime: fc.integer({ min: -1000, max: 5_000_000_000 }).map((seconds) => new Date(seconds * 1000)),
    }),
    fc.oneof(
      fc.record({ type: fc.constant('directory' as const) }),
      fc.record({
        type: fc.constant('file' as const),
        content: fc.oneof(fc.string(), fc.uint8Array({ maxLength: 2000 })),
      }),
      fc.record({
        type: fc.constant('symlink' as const),
        target: fc.constantFrom('x', '/abs/olute', 'ü', 't'.repeat(150)),
      }),
      fc.record({ type: fc.constant('fifo' as const) }),
      fc.record({
        type: fc.constant('character-device' as const),
        major: fc.integer({ min: 1, max: 300 }),
        minor: fc.nat(255),
      }),
    ),
  )
  .map(([metadata, kind]) => ({ ...metadata, ...kind }) as ArchiveEntry);

describe.skipIf(!isRoot)('read by others (needs root)', () => {
  test('property: what GNU tar unpacks is what we unpack', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(entry, { selector: (each) => each.path, maxLength: 12 }), async (entries) => {
        const scratch = run('mktemp', ['-d']).trim();
        const [theirs, ours] = [join(scratch, 'theirs'), join(scratch, 'ours')];
        try {
          mkdirSync(theirs);
          mkdirSync(ours);
          const tar = await bytesOf(packArchive([{ type: 'directory', path: '', mode: 0o750, mtime }, ...entries]));
          run('tar', ['--same-owner', '--numeric-owner', '-C', theirs, '-xpf', '-'], { input: tar });
          await applyLayer(Readable.from([tar]), ours, { whiteouts: 'remove' });
          expect(describeTree(ours)).toEqual(describeTree(theirs));
          const described = describeTree(ours);
          expect(Object.keys(described)).toHaveLength(entries.length + 1);
          for (const { path, mode, uid, gid, mtime, type } of entries) {
            expect(described[path]).toContain(` owner=${uid}:${gid} mtime=${mtime.getTime() / 1000}`);
            if (type !== 'symlink') expect(described[path]).toContain(`${mode.toString(8).padStart(4, '0')} owner`);
          }
        } finally {
          run('rm', ['-rf', scratch]);
        }
      }),
      { numRuns: 30 },
    );
  });
});
