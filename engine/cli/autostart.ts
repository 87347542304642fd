import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { CliError, errorCode, errorText } from './errors.ts';
import { siblingBundle } from './handover.ts';
import type { Location } from './location.ts';
import { socketAddress } from './socket-address.ts';

/** A daemon that was started for a command ends after so many seconds without one. `SKIFF_IDLE_EXIT` overrides it. */
const IDLE_EXIT = '300';
/** Milliseconds until we stop waiting: for another starter, and for a daemon that says nothing. */
const PATIENCE = 30_000;
const LOG_LINES = 20;

/**
 * Start the daemon of a root unless one listens by now; true when one does. Of many processes that ask at once, one
 * starts it and the others wait for that one.
 * @throws CliError with the daemon's own words when it does not come up.
 */
export async function startDaemon(location: Location): Promise<boolean> {
  const run = path.join(location.root, 'run');
  try {
    makeDirectory(run);
  } catch (error) {
    throw new CliError(
      `The engine keeps its files under ${location.root}, which cannot be made: ${errorText(error)}. ` +
        'Choose another place with --root or SKIFF_ROOT.',
      125,
    );
  }
  const lock = lockName(run);
  for (;;) {
    const release = await acquire(lock);
    if (release === undefined) {
      if (await listens(location.socket)) return true;
      continue;
    }
    try {
      while (!(await listens(location.socket))) await spawnDaemon(location, run);
      return true;
    } finally {
      release();
    }
  }
}

/** Whether something accepts connections there. A socket's file alone says nothing: its owner may be dead. */
export function listens(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    let address: ReturnType<typeof socketAddress>;
    try {
      address = socketAddress(socket);
    } catch {
      return resolve(false);
    }
    const connection = net.connect(address.path);
    const settle = (answer: boolean): void => {
      connection.destroy();
      address.release();
      resolve(answer);
    };
    connection.once('connect', () => settle(true));
    connection.once('error', () => settle(false));
  });
}

/** Node's own recursive mkdir never ends below /proc, where a directory that exists takes no new ones. */
function makeDirectory(directory: string): void {
  try {
    fs.mkdirSync(directory, { mode: 0o711 });
  } catch (error) {
    if (errorCode(error) === 'EEXIST' && fs.statSync(directory).isDirectory()) return;
    const parent = path.dirname(directory);
    if (errorCode(error) !== 'ENOENT' || fs.existsSync(parent)) throw error;
    makeDirectory(parent);
    fs.mkdirSync(directory, { mode: 0o711 });
  }
}

/** An abstract socket's name (unix(7)): the kernel gives it to one process and takes it back when that one dies. */
function lockName(run: string): string {
  const { dev, ino, birthtimeNs } = fs.statSync(run, { bigint: true });
  const key = createHash('sha256').update(`${process.getuid?.()}:${dev}:${ino}:${birthtimeNs}`).digest('hex');
  return `\0skiff-start-${key.slice(0, 32)}`;
}

/** The lock's release, or undefined after its holder has let go. */
function acquire(name: string): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    const waiting = new Set<net.Socket>();
    const server = net.createServer((connection) => {
      waiting.add(connection);
      connection.on('error', () => {});
    });
    server.once('listening', () =>
      resolve(() => {
        server.close();
        for (const connection of waiting) connection.destroy();
      }),
    );
    server.once('error', (error) => {
      if (errorCode(error) !== 'EADDRINUSE') return reject(error);
      const holder = net.connect(name);
      holder.setTimeout(PATIENCE, () => {
        const waited = PATIENCE / 1000;
        holder.destroy();
        reject(new CliError(`Another command has been starting the daemon for ${waited} s. Try again.`, 125));
      });
      holder.on('error', () => {});
      holder.once('close', () => resolve(undefined));
    });
    server.listen(name);
  });
}

/** Resolves when a daemon listens, or when another one that was about to end or to listen has done so. */
async function spawnDaemon(location: Location, run: string): Promise<void> {
  const bundle = siblingBundle('daemon.cjs');
  if (!fs.existsSync(bundle)) {
    throw new CliError(`The daemon is not built: there is no ${bundle}. Run ./skiff once.`, 125);
  }
  const logPath = path.join(run, 'daemon.log');
  const log = fs.openSync(logPath, 'a', 0o600);
  const logStart = fs.fstatSync(log).size;
  const idle = process.env.SKIFF_IDLE_EXIT || IDLE_EXIT;
  const args = ['--', bundle, '--root', location.root, '--socket', location.socket, '--idle-exit', idle];
  const child = spawn(process.execPath, args, { detached: true, cwd: '/', stdio: ['ignore', 'pipe', log] });
  fs.closeSync(log);
  const failure = await readyOrFailure(child);
  child.stdout?.destroy();
  child.unref();
  if (failure === undefined) return;
  child.kill();
  const words = fs.readFileSync(logPath).subarray(logStart).toString('utf8').trimEnd();
  const other = /Another daemon \(process (\d+)\)/.exec(words)?.[1];
  if (other !== undefined && (await settles(location.socket, Number(other)))) return;
  const lines = words.split('\n').slice(-LOG_LINES).join('\n');
  const told = words === '' ? `Its log, ${logPath}, says nothing.` : `Its log, ${logPath}, ends with:\n${lines}`;
  throw new CliError(`The daemon did not start: ${failure}.\n${told}`, 125);
}

/** Whether another daemon that has the root but did not listen is done with ending, or listens by now. */
async function settles(socket: string, pid: number): Promise<boolean> {
  const end = Date.now() + PATIENCE;
  // No event tells of the end of a process that is not one's child.
  for (; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 50))) {
    if (await listens(socket)) return true;
    try {
      process.kill(pid, 0);
    } catch (error) {
      if (errorCode(error) === 'ESRCH') return true;
    }
  }
  return false;
}

/** Waits for the daemon's first line, which it prints when it listens; else tells why there was none. */
function readyOrFailure(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(`it said nothing for ${PATIENCE / 1000} s`), PATIENCE);
    const settle = (failure?: string): void => {
      clearTimeout(timer);
      resolve(failure);
    };
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      if (text.includes('\n')) settle();
    });
    child.once('error', (error) => settle(errorText(error)));
    child.once('exit', (code, signal) =>
      settle(signal === null ? `it ended with exit code ${code}` : `${signal} ended it`),
    );
  });
}
