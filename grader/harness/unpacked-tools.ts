/** Programs that `./workshop test` unpacked into the clone because the machine has none (grader/workshop/unpacked-docker.ts). */

import path from 'node:path';
import { home } from './home.ts';

export const unpackedTools = path.join(home, '.workshop', 'tools');

/** Let this process and its children find them, behind everything that is installed. */
export function useUnpackedTools(): void {
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  if (!folders.includes(unpackedTools)) process.env.PATH = [...folders, unpackedTools].join(path.delimiter);
}
