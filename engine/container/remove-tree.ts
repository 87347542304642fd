import fs from 'node:fs/promises';

const SLASH = Buffer.from('/');
/** Room is left for one more name of 255 bytes below PATH_MAX. */
const LONG = 3500;

/**
 * Remove a directory and all below it, whatever a container made of it: symbolic links are removed, never followed;
 * names may not be UTF-8; paths may be longer than PATH_MAX; directories may forbid to be read, as overlayfs's `work` does.
 * Nothing there is fine. Nobody else may be changing the tree.
 * @throws the file system's error for what could not be removed.
 */
export async function removeTree(directory: string): Promise<void> {
  const top = Buffer.from(directory);
  try {
    if (!(await fs.lstat(top)).isDirectory()) return await fs.unlink(top);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  // A stack of its own: a container can nest directories deeper than calls can.
  const open = [{ path: top, entries: await list(top) }];
  let moved = 0;
  for (let dir = open.at(-1); dir; dir = open.at(-1)) {
    const entry = dir.entries.pop();
    if (!entry) {
      await fs.rmdir(dir.path);
      open.pop();
    } else if (!entry.isDirectory()) {
      await fs.unlink(Buffer.concat([dir.path, SLASH, entry.name]));
    } else {
      let path = Buffer.concat([dir.path, SLASH, entry.name]);
      if (path.length > LONG) {
        const shorter = Buffer.concat([top, Buffer.from(`/.deep-${process.pid}-${moved++}`)]);
        await fs.rename(path, shorter);
        path = shorter;
      }
      open.push({ path, entries: await list(path) });
    }
  }
}

async function list(dir: Buffer) {
  try {
    return await fs.readdir(dir, { withFileTypes: true, encoding: 'buffer' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
    await fs.chmod(dir, 0o700);
    return await fs.readdir(dir, { withFileTypes: true, encoding: 'buffer' });
  }
}
