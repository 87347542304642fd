/** Know when a file was saved, whichever way the editor and the file system do it. */

import fs from 'node:fs';
import path from 'node:path';

/** An editor writes in several steps; the file is read once they are over. Milliseconds. */
const SETTLE = 15;
/** How often the file is looked at besides, in case events do not arrive at all (network and shared folders). */
const LOOK = 1000;
/** How often when it is known that they do not. */
const POLL = 200;

/**
 * Call `onChange` after every save of `file`, until the function that is returned is called. `onPolling` is told, at
 * most once, why the file is polled instead of watched.
 */
export function watchForChanges(file: string, onChange: () => void, onPolling: (why: string) => void): () => void {
  let seen = signatureOf(file);
  let settling: NodeJS.Timeout | undefined;
  let timer: NodeJS.Timeout;
  let watcher: fs.FSWatcher | undefined;

  const look = () => {
    settling = undefined;
    const now = signatureOf(file);
    if (now === seen) return;
    seen = now;
    // Between the two steps of a save by rename there is no file; the second step will be seen as well.
    if (now !== '') onChange();
  };
  const settle = () => {
    clearTimeout(settling);
    settling = setTimeout(look, SETTLE);
  };
  const poll = (why: string) => {
    watcher?.close();
    watcher = undefined;
    clearInterval(timer);
    timer = setInterval(look, POLL);
    onPolling(why);
  };

  try {
    // The folder and not the file: many editors save by renaming a new file over the old one.
    watcher = fs.watch(path.dirname(file), (_event, name) => {
      if (name === null || name === path.basename(file)) settle();
    });
    watcher.on('error', (error) => poll(error.message));
    timer = setInterval(() => {
      if (settling !== undefined || signatureOf(file) === seen) return;
      // An event may be on its way just now.
      setTimeout(() => {
        if (settling !== undefined || signatureOf(file) === seen) return;
        look();
        if (watcher !== undefined) poll('this file system sends no events');
      }, POLL).unref();
    }, LOOK);
  } catch (error) {
    timer = setInterval(look, POLL);
    poll((error as Error).message);
  }
  return () => {
    watcher?.close();
    clearInterval(timer);
    clearTimeout(settling);
  };
}

/** Changes with every save; empty when there is no file. */
function signatureOf(file: string): string {
  try {
    const { ino, size, mtimeMs } = fs.statSync(file);
    return `${ino} ${size} ${mtimeMs}`;
  } catch {
    return '';
  }
}
