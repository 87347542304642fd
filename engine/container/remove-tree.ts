import fs from 'node:fs';
import { setImmediate } from 'node:timers/promises';

const SLASH = Buffer.from('/');
/** Room is left for one more name of 255 bytes below PATH_MAX. */
const LONG = 3500;
const BREATH = 10;

/**
 * Remove a directory and all below it, whatever a container made of it: symbolic links are removed, never followed;
 * names may be no UTF-8; paths may be longer than PATH_MAX; directories may forbid to be read, as overlayfs's `work` does.
 * Nothing there is fine. Nobody else may be changing the tree. Gives way to other work every 10 ms.
 * @throws the file system's error for what could not be removed.
 */
export async function removeTree(directory: string): Promise<void> {
  const top = Buffer.from(directory);
  try {
    if (!fs.lstatSync(top).isDirectory()) return fs.unlinkSync(top);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  // A stack of its own: a container can nest directories deeper than calls can.
  const open = [{ path: top, entries: list(top) }];
  let breath = performance.now();
  let moved = 0;
  for (let dir = open.at(-1); dir; dir = open.at(-1)) {
    const entry = dir.entries.pop();
    if (!entry) {
      fs.rmdirSync(dir.path);
      open.pop();
    } else if (!entry.isDirectory()) {
      fs.unlinkSync(Buffer.concat([dir.path, SLASH, entry.name]));
    } else {
      let path = Buffer.concat([dir.path, SLASH, entry.name]);
      if (path.length > LONG) {
        const shorter = Buffer.concat([top, Buffer.from(`/.deep-${process.pid}-${moved++}`)]);
        fs.renameSync(path, shorter);
        path = shorter;
      }
      open.push({ path, entries: list(path) });
    }
    if (performance.now() - breath > BREATH) {
      await setImmediate();
      breath = performance.now();
    }
  }
}

function list(dir: Buffer) {
  try {
    return fs.readdirSync(dir, { withFileTypes: true, encoding: 'buffer' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
    fs.chmodSync(dir, 0o700);
    return fs.readdirSync(dir, { withFileTypes: true, encoding: 'buffer' });
  }
}
