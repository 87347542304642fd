/**
 * An archive that somebody handed in. No name in it becomes a name on this machine: only what stands in the place of a
 * lab's file is taken out, and written to a directory of the grader's own under the grader's own name.
 */

import fs from 'node:fs';
import path from 'node:path';
import { PickedFiles } from './picked-files.ts';
import { readTar } from './tar.ts';
import { isForbidden, UnreadableArchive } from './unreadable-archive.ts';
import { readZip } from './zip.ts';

/** Bytes of an archive as it was handed in. */
export const LARGEST_ARCHIVE = 1 << 30;

export function isArchive(name: string): boolean {
  return /\.(zip|tar\.gz|tgz|tar)$/i.test(name);
}

/**
 * @param wanted the paths that labs are graded from; in the archive they may lie below another folder.
 * @param target an empty directory.
 * @throws UnreadableArchive when the archive is damaged, too large, or has a path that leads out of it.
 */
export async function unpack(archive: string, wanted: string[], target: string): Promise<void> {
  const { size } = fs.statSync(archive);
  if (size > LARGEST_ARCHIVE) throw new UnreadableArchive(`it has ${size} bytes; at most ${LARGEST_ARCHIVE} are read`);
  checkMode(archive);
  const picked = new PickedFiles(wanted);
  await (/\.zip$/i.test(archive) ? readZip(archive, picked) : readTar(archive, picked));
  for (const [file, { kind, content }] of picked.settled()) {
    const place = path.join(target, file);
    fs.mkdirSync(path.dirname(place), { recursive: true });
    // What a directory would be refused for is refused here in the same words; see `readLearnerFile`.
    if (kind === 'link') fs.symlinkSync('refused', place);
    else if (kind === 'other') fs.mkdirSync(place);
    else fs.writeFileSync(place, content, { flag: 'wx' });
  }
}

function checkMode(archive: string): void {
  try {
    fs.accessSync(archive, fs.constants.R_OK);
  } catch (error) {
    if (!isForbidden(error)) throw error;
    throw new UnreadableArchive('the grader may not open it. Give it back its rights with chmod u+r');
  }
}
