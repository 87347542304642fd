// What many write first: for each header of a tar, join its name to the directory, and write there.
import fs from 'node:fs';
import path from 'node:path';

const [archive, directory] = process.argv.slice(2);
const tar = fs.readFileSync(archive);
for (let at = 0; tar[at] !== 0; ) {
  const text = (offset, length) => tar.toString('utf8', at + offset, at + offset + length).replace(/\0.*/s, '');
  const size = Number.parseInt(text(124, 12), 8);
  const target = path.resolve(directory, text(0, 100));
  if (!target.startsWith(path.resolve(directory))) throw new Error(`${target} is outside`);
  if (text(156, 1) === '2') fs.symlinkSync(text(157, 100), target);
  else if (text(156, 1) === '5') fs.mkdirSync(target, { recursive: true });
  else fs.writeFileSync(target, tar.subarray(at + 512, at + 512 + size));
  at += 512 + Math.ceil(size / 512) * 512;
}
