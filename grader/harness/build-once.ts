/** Before any test runs: the bundles that tests start are those of the sources that are tested, and unpacked programs are found. */

import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { home } from './home.ts';
import { useUnpackedTools } from './unpacked-tools.ts';

export function setup(): void {
  useUnpackedTools();
  execFileSync(process.execPath, [path.join(home, 'engine/build.mjs')], { stdio: ['ignore', 'ignore', 'inherit'] });
}
