import os from 'node:os';
import path from 'node:path';
import { UsageError } from './errors.ts';

/** What was said on the command line about where the engine is. */
export interface LocationOptions {
  root?: string;
  socket?: string;
  host?: string;
}

export interface Location {
  /** The directory that holds everything of one engine, absolute. */
  root: string;
  /** The socket its daemon listens on, absolute. */
  socket: string;
  /** Whether a daemon may be started when none listens: not when only a socket was named, for then its root is unknown. */
  startable: boolean;
}

/** Where the engine is: the options, then `SKIFF_HOST` and `SKIFF_ROOT`, then the user's default. */
export function resolveLocation(
  options: LocationOptions,
  env: NodeJS.ProcessEnv,
  uid: number | undefined = process.getuid?.(),
): Location {
  const named = options.socket ?? (options.host === undefined ? undefined : unixSocketOf(options.host));
  const root = path.resolve(options.root ?? env.SKIFF_ROOT ?? defaultRoot(env, uid));
  if (named !== undefined) {
    return { root, socket: path.resolve(named), startable: options.root !== undefined };
  }
  if (options.root === undefined && env.SKIFF_HOST) {
    return { root, socket: path.resolve(unixSocketOf(env.SKIFF_HOST)), startable: false };
  }
  return { root, socket: path.join(root, 'run', 'skiff.sock'), startable: true };
}

function defaultRoot(env: NodeJS.ProcessEnv, uid: number | undefined): string {
  if (uid === 0) return '/var/lib/skiff';
  return path.join(env.XDG_DATA_HOME || path.join(os.homedir(), '.local', 'share'), 'skiff');
}

function unixSocketOf(host: string): string {
  const match = /^unix:\/\/(.+)$/.exec(host);
  if (match?.[1] !== undefined) return match[1];
  throw new UsageError(`"${host}" is not the address of an engine: write unix:// and the path of its socket.`);
}
