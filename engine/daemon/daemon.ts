import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { NetworkSettings } from '../container/networks/settings.ts';
import { openEngine } from '../container/open-engine.ts';
import { defaultRootDirectory, openRoot } from '../container/root.ts';
import { REMAP_IS_FOR_ROOT } from '../container/user-remap.ts';
import { checkInsecure, checkMirror, type RegistryOptions } from '../registry/client/endpoints.ts';
import { watchIdleness } from './idle.ts';
import { listenOn, requireSafe } from './listen.ts';
import {
  NETWORK_OPTIONS,
  NETWORK_USAGE,
  networkArguments,
  networkSettings,
  withSwitchValues,
} from './network-options.ts';
import { enterUserNamespace, hasEntered } from './rootless/enter.ts';
import { newServer } from './server.ts';

const USAGE =
  'usage: skiff daemon [--root DIR] [--socket PATH] [--idle-exit SECONDS] [--userns-remap USER]\n' +
  '  [--registry-mirror URL]... [--insecure-registry HOST]... [--max-concurrent-downloads NUMBER]\n' +
  NETWORK_USAGE;

interface Options {
  root: string;
  /** The root's own if undefined. */
  socket: string | undefined;
  /** Seconds; undefined for never. */
  idleExit: number | undefined;
  /** Whose ids containers get; undefined for the host's. */
  remap: string | undefined;
  registries: RegistryOptions;
  networks: NetworkSettings;
}

/**
 * Serve the Docker Engine API until told to stop, or until idle for long enough. One line on standard output says that
 * it listens; everything else that is to be said goes to standard error.
 * @returns the exit code
 */
export async function runDaemon(argv: string[]): Promise<number> {
  let options: Options;
  try {
    options = parse(argv);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}\n`);
    return 2;
  }
  try {
    const entered = hasEntered();
    await serve(options, { entered, refusal: entered ? undefined : await becomeRoot(options) });
    return 0;
  } catch (error) {
    process.stderr.write(`skiff daemon: ${(error as Error).message}\n`);
    return 1;
  }
}

/** An ordinary user's daemon starts over as root of a user namespace. @returns why it cannot run containers, if so */
async function becomeRoot({
  root,
  socket,
  idleExit,
  remap,
  registries,
  networks,
}: Options): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.geteuid?.() === 0) return undefined;
  if (remap !== undefined) throw new Error(REMAP_IS_FOR_ROOT);
  // In the namespace everybody whose id it lacks looks the same, so who owns what is asked before.
  const { dir, run, socket: own } = openRoot(root);
  requireSafe(path.dirname(socket ?? own));
  const options = ['--root', dir, ...(socket === undefined ? [] : ['--socket', socket])];
  if (idleExit !== undefined) options.push('--idle-exit', String(idleExit));
  options.push(...registryArguments(registries), ...networkArguments(networks));
  return await enterUserNamespace([process.argv[1]!, ...options], run);
}

interface Powers {
  /** This is a user namespace that the daemon of an ordinary user has moved into. */
  entered: boolean;
  /** Why containers cannot be run. */
  refusal: string | undefined;
}

async function serve(
  { root, socket, idleExit, remap, registries, networks }: Options,
  { entered, refusal }: Powers,
): Promise<void> {
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve());
    idle = resolve;
  });
  const warn = (message: string) => process.stderr.write(`skiff daemon: ${message}\n`);
  // The program that started the daemon may read its first line and end.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  process.on('uncaughtException', (error) => warn(`a mistake in the daemon itself: ${error.stack}`));

  if (refusal !== undefined) warn(refusal);
  const { engine, close } = await openEngine({ directory: root, remap, refusal, registries, networks, warn });
  try {
    const server = newServer(engine);
    const path = socket ?? engine.root.socket;
    const stopListening = await listenOn(server, path, { rootless: entered });
    process.stdout.write(`skiff daemon ${process.pid} listens on unix://${path}\n`);
    if (idleExit !== undefined) watchIdleness(server, engine, idleExit, () => idle());
    prepare();
    await stopped;
    await stopListening();
  } finally {
    await close();
  }

  /** What the first container would wait for otherwise. */
  function prepare(): void {
    engine.images.ensureHostbox().catch((error: Error) => warn(`hostbox could not be made: ${error.message}`));
    engine.shim.request('hello', {}).catch((error: Error) => warn(error.message));
  }
}

let idle: () => void = () => {};

function parse(argv: string[]): Options {
  const { values, positionals } = parseArgs({
    args: withSwitchValues(argv),
    allowPositionals: true,
    options: {
      root: { type: 'string' },
      socket: { type: 'string' },
      'idle-exit': { type: 'string' },
      'userns-remap': { type: 'string' },
      'registry-mirror': { type: 'string', multiple: true },
      'insecure-registry': { type: 'string', multiple: true },
      'max-concurrent-downloads': { type: 'string' },
      ...NETWORK_OPTIONS,
    },
  });
  if (positionals.length > 0 && positionals[0] !== 'daemon')
    throw new Error(`There is no argument "${positionals[0]}".`);
  const idleExit = values['idle-exit'];
  if (idleExit !== undefined && !/^\d{1,7}$/.test(idleExit))
    throw new Error(`--idle-exit must be a number of seconds, not "${idleExit}".`);
  const concurrency = values['max-concurrent-downloads'];
  if (concurrency !== undefined && !/^[1-9]\d{0,2}$/.test(concurrency))
    throw new Error(`--max-concurrent-downloads must be a number from 1 to 999, not "${concurrency}".`);
  return {
    registries: {
      mirrors: values['registry-mirror']?.map(checkMirror),
      insecure: values['insecure-registry']?.map(checkInsecure),
      ...(concurrency !== undefined && { concurrency: Number(concurrency) }),
    },
    root: path.resolve(values.root ?? defaultRootDirectory()),
    socket:
      values.socket === undefined ? undefined : path.join(realDirectory(values.socket), path.basename(values.socket)),
    idleExit: idleExit === undefined ? undefined : Number(idleExit),
    networks: networkSettings(values),
    remap: (values['userns-remap'] ?? process.env.SKIFF_USERNS_REMAP) || undefined,
  };
}

/** The same options once more. */
function registryArguments({ mirrors = [], insecure = [], concurrency }: RegistryOptions): string[] {
  return [
    ...mirrors.flatMap((mirror) => ['--registry-mirror', mirror]),
    ...insecure.flatMap((host) => ['--insecure-registry', host]),
    ...(concurrency === undefined ? [] : ['--max-concurrent-downloads', String(concurrency)]),
  ];
}

/** The directory of a file, made if missing, so that a later change of directory or link does not move it. */
function realDirectory(file: string): string {
  const directory = path.dirname(path.resolve(file));
  fs.mkdirSync(directory, { recursive: true, mode: 0o711 });
  return fs.realpathSync(directory);
}
