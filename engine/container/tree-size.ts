import fs from 'node:fs';
import path from 'node:path';

/** Bytes of the files at and below `directory`, each counted once however many links it has. What cannot be read counts nothing. */
export function treeSize(directory: string): number {
  const seen = new Set<number>();
  let total = 0;
  const open = [directory];
  for (let dir = open.pop(); dir !== undefined; dir = open.pop()) {
    for (const entry of list(dir)) {
      const file = path.join(dir, entry.name);
      if (entry.isDirectory()) open.push(file);
      const stat = entry.isFile() ? fs.lstatSync(file, { throwIfNoEntry: false }) : undefined;
      if (!stat || seen.has(stat.ino)) continue;
      seen.add(stat.ino);
      total += stat.size;
    }
  }
  return total;
}

function list(dir: string): fs.Dirent[] {
  try {
    return fs.readdirSync(dir, { withFileTypes: true });
  } catch {
    return [];
  }
}
