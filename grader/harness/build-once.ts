/** Before any test runs: the bundles that tests start are those of the sources that are tested. */

import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { home } from './home.ts';

export function setup(): void {
  execFileSync(process.execPath, [path.join(home, 'engine/build.mjs')], { stdio: ['ignore', 'ignore', 'inherit'] });
}
