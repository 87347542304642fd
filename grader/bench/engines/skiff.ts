/** Our own engine, with a root of its own. */

import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { EngineApi } from './api.ts';
import { endAll, pidsNaming, run, startServer, stop } from './process.ts';

const REPOSITORY = dirname(dirname(dirname(import.meta.dirname)));
const SKIFF = join(REPOSITORY, 'skiff');

export interface Skiff {
  root: string;
  api: EngineApi;
  /** The daemon's pid, and those of its shim. */
  pids: () => number[];
  stop: () => Promise<void>;
}

/** The engine makes its first image when it first starts; that is not what is measured. */
async function hasImage(api: EngineApi): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if ((await api.call('GET', '/images/json')).trim() !== '[]') return;
    await setTimeout(100);
  }
}

/** Start a daemon in the foreground with everything under `directory`, which is removed again by `stop`. */
export async function startSkiff(directory: string): Promise<Skiff> {
  const root = join(directory, 'skiff');
  mkdirSync(root);
  const socket = join(directory, 'skiff.sock');
  // Builds what is not built yet, so that starting does not have to.
  await run('node', [join(REPOSITORY, 'engine', 'build.mjs'), '--need', 'skiff']);
  const daemon = await startServer(SKIFF, ['--root', root, 'daemon', '--socket', socket], socket);
  const api = new EngineApi(socket);
  const cleanUp = async (): Promise<void> => {
    await api.removeAll().catch(() => {});
    api.close();
    await stop(daemon);
    // The shim outlives its daemon by design; with this root gone it has nothing to serve.
    await endAll(() => pidsNaming(root));
    rmSync(root, { recursive: true, force: true });
  };
  try {
    await hasImage(api);
  } catch (error) {
    await cleanUp();
    throw error;
  }
  return { root, api, pids: () => pidsNaming(root), stop: cleanUp };
}
