import fs from 'node:fs';
import path from 'node:path';
import { home, stateFolder } from './home.ts';

/** After `sudo ./workshop` the learner's own files must still be the learner's: they get the owner of the clone. */
export function giveBack(): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = fs.statSync(home);
  if (uid === 0 || !fs.existsSync(stateFolder)) return;
  const entries = fs.readdirSync(stateFolder, { recursive: true, encoding: 'utf8' });
  for (const file of [stateFolder, ...entries.map((entry) => path.join(stateFolder, entry))]) {
    fs.lchownSync(file, uid, gid);
  }
}
