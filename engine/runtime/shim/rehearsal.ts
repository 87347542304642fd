import * as fs from 'node:fs';
import { join } from 'node:path';
import { lookUpIdentity } from '../user.ts';

/**
 * Call once, to no effect, what otherwise only children call: Node's own functions are compiled at their first call,
 * too, and what is compiled here every child finds done.
 */
export function rehearse(runDirectory: string): void {
  const directory = join(runDirectory, 'rehearsal');
  fs.mkdirSync(join(directory, 'made'), { recursive: true });
  const file = join(directory, 'file');
  const link = join(directory, 'link');
  fs.writeFileSync(file, '', { flag: 'w', mode: 0o644 });
  fs.rmSync(link, { force: true });
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
  lookUpIdentity({ user: { uid: 0, gid: 0 } });
  fs.rmSync(directory, { recursive: true });
}
