import * as fs from 'node:fs';
import { join } from 'node:path';
import { parseMountOptions } from '../mount-options.ts';
import { overlayData } from '../overlay.ts';
import { makePathInRoot, withPathInRoot } from '../path-in-root.ts';
import { lookUpIdentity } from '../user.ts';

/** After so many calls V8 knows what a function is mostly called with, and has compiled the busiest to machine code. */
const ROUNDS = 20;

/**
 * Call, to no effect, what otherwise only children call: what V8 learns and compiles here every child finds done. Each
 * child starts from the memory the shim has at its fork, so nothing it learns itself is of use to the next.
 * No plank is called: it may be a learner's, and here it would act on the host itself.
 */
export function rehearse(runDirectory: string): void {
  const directory = join(runDirectory, 'rehearsal');
  for (let round = 0; round < ROUNDS; round++) {
    try {
      fs.mkdirSync(directory, { recursive: true });
      rehearseRound(directory);
    } catch {
      // A full disk: the first start will say so to somebody who can help it.
      break;
    } finally {
      fs.rmSync(directory, { recursive: true, force: true });
    }
  }
}

function rehearseRound(directory: string): void {
  rehearseFiles(directory);
  rehearseNumbers();
  parseMountOptions(['rbind', 'ro', 'nosuid', 'rprivate', 'mode=755']);
  overlayData({ lower: ['/a:b', '/c'], upper: '/upper', work: '/work' }, false);
  lookUpIdentity({ user: { uid: 0, gid: 0 } });
  makePathInRoot(directory, '/made/by/steps', 'directory');
  withPathInRoot(directory, '/made', () => {});
}

function rehearseFiles(directory: string): void {
  const file = join(directory, 'file');
  const link = join(directory, 'link');
  fs.writeFileSync(file, '', { flag: 'wx', mode: 0o644 });
  fs.symlinkSync('file', link);
  fs.statSync(file);
  fs.lstatSync(link);
  fs.statSync(join(directory, 'absent'), { throwIfNoEntry: false });
  fs.chmodSync(file, 0o644);
  fs.lchownSync(link, process.getuid!(), process.getgid!());
  const fd = fs.openSync(file, 'r');
  fs.fchownSync(fd, process.getuid!(), process.getgid!());
  fs.fstatSync(fd);
  fs.readSync(fd, Buffer.alloc(1));
  fs.closeSync(fd);
}

/** The structs that system calls take are written field by field. */
function rehearseNumbers(): void {
  const struct = Buffer.alloc(16);
  struct.write('name', 0);
  struct.writeUInt16LE(1, 0);
  struct.writeInt16LE(struct.readInt16LE(0), 0);
  struct.writeUInt32LE(1, 0);
  struct.writeInt32LE(struct.readUInt32LE(0), 0);
  struct.writeBigUInt64LE(1n, 8);
  struct.readBigUInt64LE(8);
  Buffer.byteLength('name');
}
