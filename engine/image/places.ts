import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What every container gets mounted, whether its image has a place for it or not. */
const PLACES = { directories: ['proc', 'sys', 'dev', 'etc'], files: ['etc/hosts', 'etc/hostname', 'etc/resolv.conf'] };

/**
 * Make a layer of the places for those mounts. At the bottom of a stack it is seen only where the image has nothing, and
 * what is in it is not part of what a container has changed.
 */
export function makePlaces(directory: string): void {
  for (const name of PLACES.directories) mkdirSync(join(directory, name), { recursive: true, mode: 0o755 });
  for (const name of PLACES.files) writeFileSync(join(directory, name), '');
}
