import { readFileSync } from 'node:fs';
import { run } from './process.ts';

/** Unmount whatever is mounted at or below `directory`, the last mount first: an engine that had to be killed leaves such. */
export async function unmountBelow(directory: string): Promise<void> {
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point === directory || point.startsWith(`${directory}/`));
  for (const point of points.reverse()) await run('umount', ['--lazy', point]);
}
