/** A lock between processes for what must not happen twice at once: building, and installing packages. */

import fs from 'node:fs';
import path from 'node:path';

/** How long a wait may be mute. Milliseconds. */
const SILENCE = 1500;
const pause = new Int32Array(new SharedArrayBuffer(4));

/**
 * Run `work` while no other process runs under the same `lockPath`. Waits for the holder as long as it is alive; the
 * lock of a process that died is taken over.
 */
export async function oneAtATime(lockPath, work) {
  fs.mkdirSync(path.dirname(lockPath), { recursive: true });
  const since = Date.now();
  let said = false;
  while (!take(lockPath)) {
    if (!said && Date.now() - since > SILENCE) {
      said = true;
      console.error(`Waiting for another process that holds ${lockPath} …`);
    }
    // No file watch tells every platform that a lock is free; 20 ms is not felt.
    Atomics.wait(pause, 0, 0, 20);
  }
  const release = () => fs.rmSync(lockPath, { force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.off('exit', release);
    release();
  }
}

function take(lockPath) {
  try {
    fs.writeFileSync(lockPath, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  let holder = '';
  try {
    holder = fs.readFileSync(lockPath, 'utf8');
    // Between a holder's open and its write the file is empty for a moment.
    if (holder === '' && Date.now() - fs.statSync(lockPath).mtimeMs < 2000) return false;
  } catch {
    return false;
  }
  if (holder !== '' && isAlive(Number(holder))) return false;
  fs.rmSync(lockPath, { force: true });
  return false;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
