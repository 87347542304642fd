/**
 * The shim: the parent of every container's first process. It outlives the daemon, and containers with it.
 *
 * `node --single-threaded --v8-pool-size=0 shim.cjs SOCKET_PATH RUN_DIR` prints one line when it listens, then leaves
 * its standard streams. It uses synchronous file calls only: a thread pool would be a second thread, and a fork
 * with a second thread can find a lock taken that nobody will ever release.
 *
 * V8 compiles a function when it is first called. What only children call, every child would compile again, which is
 * a third of the time a start takes. So the bundle is read twice: the second time with V8 told to compile all of it,
 * and to throw nothing away that has not been called for long.
 */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { compileFunction } from 'node:vm';
import { runUnwritable } from '../run-unwritable.ts';

const second = Symbol.for('skiff.shim.compiled');
const marked = globalThis as { [second]?: true };

function main(): void {
  const [bundle, socketPath, runDirectory] = process.argv.slice(1);
  if (bundle === undefined || socketPath === undefined || runDirectory === undefined) {
    process.stderr.write('usage: shim.cjs SOCKET_PATH RUN_DIR\n');
    process.exit(2);
  }
  if (marked[second]) {
    void import('./serve.ts').then(({ serve }) => serve(socketPath, runDirectory));
    return;
  }
  runUnwritable();
  marked[second] = true;
  setFlagsFromString('--no-lazy');
  setFlagsFromString('--no-flush-bytecode');
  compileFunction(readFileSync(bundle, 'utf8'), ['require', 'module'], { filename: bundle })(createRequire(bundle), {});
}

main();
