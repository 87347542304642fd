/** Trees of every kind of file, for properties. */

import { chmodSync, lchownSync, linkSync, lutimesSync, mkdirSync, lstatSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { makedev, mknod, S_IFCHR, S_IFIFO } from '#kernel/nodes';

export interface Tree {
  /** Make it in an empty directory, as root. */
  make(root: string): void;
}

type Kind =
  | { kind: 'directory' }
  | { kind: 'file'; content: Uint8Array }
  | { kind: 'symlink'; target: string }
  | { kind: 'link'; to: number }
  | { kind: 'fifo' }
  | { kind: 'device'; major: number; minor: number };

const kind: fc.Arbitrary<Kind> = fc.oneof(
  fc.record({ kind: fc.constant('directory' as const) }),
  fc.record({
    kind: fc.constant('file' as const),
    content: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 500, max: 3000 }).map((size) => Buffer.alloc(size, 'z'))),
  }),
  fc.record({ kind: fc.constant('symlink' as const), target: fc.constantFrom('x', '../..', '/etc/passwd', 'a b', 'ünï') }),
  fc.record({ kind: fc.constant('link' as const), to: fc.nat(20) }),
  fc.record({ kind: fc.constant('fifo' as const) }),
  fc.record({ kind: fc.constant('device' as const), major: fc.integer({ min: 1, max: 500 }), minor: fc.nat(300) }),
);

/** Names of up to 250 bytes, in paths of any depth, unless the format cannot have them. */
export function randomTree({ longNames }: { longNames: boolean }): fc.Arbitrary<Tree> {
  const name = fc.oneof(
    fc.stringMatching(/^[a-c]$/),
    fc.constantFrom('ünïcödé', 'a b', "quote'\"", '-dash', 'back\\slash', 'new\nline', '...', '.hidden'),
    ...(longNames ? [fc.integer({ min: 90, max: 240 }).map((length) => 'l'.repeat(length))] : []),
  );
  const entry = fc.record({
    path: fc.array(name, { minLength: 1, maxLength: longNames ? 5 : 2 }),
    kind,
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: fc.constantFrom(0, 1000, 65534, 262_143),
    gid: fc.constantFrom(0, 5, 100_000),
    mtime: fc.integer({ min: 0, max: 2_000_000_000 }),
  });
  return fc.array(entry, { maxLength: 20 }).map((entries) => ({ make: (root) => makeTree(root, entries) }));
}

interface Entry {
  path: string[];
  kind: Kind;
  mode: number;
  uid: number;
  gid: number;
  mtime: number;
}

function makeTree(root: string, entries: Entry[]): void {
  const made: { path: string; entry: Entry }[] = [];
  for (const entry of entries) {
    const path = join(root, ...entry.path);
    try {
      mkdirSync(join(path, '..'), { recursive: true });
    } catch {
      continue; // below a file
    }
    if (lstatSync(path, { throwIfNoEntry: false })) continue;
    if (entry.kind.kind === 'link') {
      const file = made.filter((each) => each.entry.kind.kind === 'file')[entry.kind.to];
      if (file) linkSync(file.path, path);
      continue;
    }
    make(path, entry.kind);
    made.push({ path, entry });
  }
  // Deepest first, so that times stay and closed directories do not matter.
  for (const { path, entry } of made.sort((a, b) => b.path.length - a.path.length)) {
    lchownSync(path, entry.uid, entry.gid);
    if (entry.kind.kind !== 'symlink') chmodSync(path, entry.mode);
    lutimesSync(path, entry.mtime, entry.mtime);
  }
}

function make(path: string, kind: Kind): void {
  switch (kind.kind) {
    case 'directory':
      mkdirSync(path);
      break;
    case 'file':
      writeFileSync(path, kind.content);
      break;
    case 'symlink':
      symlinkSync(kind.target, path);
      break;
    case 'fifo':
      mknod(path, S_IFIFO | 0o600);
      break;
    case 'device':
      mknod(path, S_IFCHR | 0o600, makedev(kind.major, kind.minor));
      break;
  }
}
