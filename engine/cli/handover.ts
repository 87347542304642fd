import { spawn } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { CliError } from './errors.ts';

/** A bundle that lies beside this one, e.g. `daemon.cjs`. */
export function siblingBundle(name: string): string {
  return path.join(path.dirname(process.argv[1] ?? ''), name);
}

const FORWARDED: NodeJS.Signals[] = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'];
/** The terminal gives these to the child as well. */
const SHARED: NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGTSTP'];

/** Let another bundle do the work, with our standard streams and signals; resolves to its exit code. */
export function handOver(file: string, args: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    // The dashes keep Node from reading options like --env-file that are meant for the bundle.
    const child = spawn(process.execPath, ['--', file, ...args], { stdio: 'inherit' });
    for (const signal of FORWARDED) process.on(signal, () => child.kill(signal));
    for (const signal of SHARED) process.on(signal, () => {});
    child.on('error', (error) => reject(new CliError(`${file} could not be started: ${error.message}`, 125)));
    child.on('exit', (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : os.constants.signals[signal]));
    });
  });
}
