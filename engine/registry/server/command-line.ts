/** `skiff registry serve`, `check` and `gc`: from the words of a command to what they ask for. */

import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { AccessOptions } from './access.ts';
import { checkRegistry } from './check.ts';
import { DiskStore } from './disk-store.ts';
import { type Collected, collectGarbage } from './garbage.ts';
import { holdData } from './hold-data.ts';
import { Htpasswd } from './htpasswd.ts';
import { newRegistryServer } from './http-server.ts';
import { listenOn } from './listen.ts';
import { Places } from './places.ts';
import { Tokens } from './tokens.ts';

/** Seconds: what nothing refers to is kept so long. A push that takes longer begins again. */
const KEEP = 86_400;
/** Milliseconds between two collections of garbage. */
const COLLECT_EVERY = 3600_000;

type Warn = (message: string) => void;

/** @returns the exit code: 1 if something failed or is damaged, 2 if the words are wrong. */
export async function runRegistry([verb = '', ...args]: string[]): Promise<number> {
  const warn = (message: string) => process.stderr.write(`skiff registry: ${message}\n`);
  // The program that started the registry may read its first line and end.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  const run = { serve, check, gc }[verb];
  if (run === undefined) {
    warn(`There is no 'skiff registry ${verb}'. There are serve, check and gc.`);
    return 2;
  }
  try {
    return await run(args, warn);
  } catch (error) {
    warn((error as Error).message);
    return (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS') ? 2 : 1;
  }
}

const SERVE = {
  listen: { type: 'string', default: '127.0.0.1:5000' },
  data: { type: 'string', default: 'registry' },
  htpasswd: { type: 'string' },
  writers: { type: 'string' },
  'token-realm': { type: 'string' },
  'token-service': { type: 'string' },
  'token-issuer': { type: 'string' },
  'token-keys': { type: 'string' },
  'tls-cert': { type: 'string' },
  'tls-key': { type: 'string' },
  'read-only': { type: 'boolean', default: false },
  'no-delete': { type: 'boolean', default: false },
} as const;

type ServeValues = ReturnType<typeof parseArgs<{ options: typeof SERVE }>>['values'];

/** Until SIGTERM or SIGINT. One line on standard output says that it listens. */
async function serve(args: string[], warn: Warn): Promise<number> {
  const { values } = parseArgs({ args, options: SERVE });
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve());
  });
  process.on('uncaughtException', (error) => warn(`a mistake in the registry itself: ${error.stack}`));
  const access = accessOf(values);
  const tls = tlsOf(values);
  const { directory, release } = holdData(values.data);
  try {
    const store = new DiskStore(directory);
    const server = newRegistryServer({ store, access, warn, ...(tls && { tls }) });
    const { url, stop } = await listenOn(server, values.listen);
    process.stdout.write(`skiff registry ${process.pid} listens on ${url}\n`);
    const endCollecting = access.readOnly ? () => {} : keepCollecting(store, warn);
    await stopped;
    endCollecting();
    await stop();
    return 0;
  } finally {
    release();
  }
}

/** Every hour, and on SIGUSR2 at once. One collection at a time. */
function keepCollecting(store: DiskStore, warn: Warn): () => void {
  let running = Promise.resolve();
  const collect = () => {
    running = running
      .then(() => collectGarbage(store, KEEP * 1000))
      .then((collected) => {
        for (const fault of collected.faults) warn(fault);
        warn(inWords(collected));
      })
      .catch((error: Error) => warn(`garbage could not be collected: ${error.message}`));
  };
  const timer = setInterval(collect, COLLECT_EVERY);
  process.on('SIGUSR2', collect);
  return () => {
    clearInterval(timer);
    process.off('SIGUSR2', collect);
  };
}

async function gc(args: string[], warn: Warn): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { data: { type: 'string', default: 'registry' }, 'older-than': { type: 'string', default: `${KEEP}` } },
  });
  const seconds = values['older-than'];
  if (!/^\d{1,9}$/.test(seconds)) throw new Error(`--older-than must be a number of seconds, not "${seconds}".`);
  const { directory, release } = holdData(requireData(values.data));
  try {
    const collected = await collectGarbage(new DiskStore(directory), Number(seconds) * 1000);
    for (const fault of collected.faults) warn(fault);
    process.stdout.write(`${inWords(collected)}\n`);
    return collected.faults.length === 0 ? 0 : 1;
  } finally {
    release();
  }
}

async function check(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { data: { type: 'string', default: 'registry' } } });
  const { faults, blobs, manifests, repositories } = await checkRegistry(new Places(requireData(values.data)));
  for (const fault of faults) process.stdout.write(`${fault}\n`);
  const read = `Read ${count(blobs, 'blob')}, ${count(manifests, 'manifest')} in ${count(repositories, 'repository')}`;
  process.stdout.write(`${read}: ${faults.length === 0 ? 'all whole' : count(faults.length, 'fault')}.\n`);
  return faults.length === 0 ? 0 : 1;
}

/** @throws Error unless a registry keeps its things there: what is checked or swept is not made. */
function requireData(data: string): string {
  const directory = path.resolve(data);
  if (fs.existsSync(path.join(directory, 'oci-layout')) && fs.existsSync(new Places(directory).repositories))
    return directory;
  throw new Error(`${directory} holds no registry. Name its directory with --data.`);
}

function accessOf(values: ServeValues): AccessOptions {
  const { htpasswd, writers } = values;
  if (htpasswd === undefined && writers !== undefined)
    throw new Error('--writers needs --htpasswd: without it everybody may do everything.');
  const tokens = tokensOf(values);
  if (tokens !== undefined && htpasswd !== undefined)
    throw new Error(
      '--htpasswd and --token-realm exclude each other: passwords are then the business of the token server.',
    );
  return {
    readOnly: values['read-only'],
    noDelete: values['no-delete'],
    ...(htpasswd !== undefined && { htpasswd: new Htpasswd(path.resolve(htpasswd)) }),
    ...(tokens !== undefined && { tokens }),
    ...(writers !== undefined && { writers: writers.split(',') }),
  };
}

function tokensOf(values: ServeValues): Tokens | undefined {
  const { 'token-realm': realm, 'token-service': service, 'token-issuer': issuer, 'token-keys': keys } = values;
  const given = [realm, service, issuer, keys].filter((value) => value !== undefined);
  if (given.length === 0) return undefined;
  if (realm === undefined || service === undefined || issuer === undefined || keys === undefined)
    throw new Error('--token-realm, --token-service, --token-issuer and --token-keys belong together: give all four.');
  for (const [option, value] of Object.entries({ realm, service }))
    if (!/^[^"\\\p{Cc}]+$/u.test(value))
      throw new Error(`--token-${option} must have no quotes, not ${JSON.stringify(value)}.`);
  return new Tokens({ realm, service, issuer, keys: path.resolve(keys) });
}

function tlsOf(values: ServeValues): { cert: Buffer; key: Buffer } | undefined {
  const { 'tls-cert': cert, 'tls-key': key } = values;
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) throw new Error('--tls-cert and --tls-key belong together: give both.');
  return { cert: fs.readFileSync(cert), key: fs.readFileSync(key) };
}

function inWords({ blobs, bytes, uploads }: Collected): string {
  return `Removed ${count(blobs, 'blob')} of ${count(bytes, 'byte')} and ${count(uploads, 'unfinished upload')}.`;
}

function count(number: number, noun: string): string {
  return `${number} ${number === 1 ? noun : `${noun}s`.replace(/ys$/, 'ies')}`;
}
