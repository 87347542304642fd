/** Every engine of a run: started when a figure first asks for it, all stopped at the end. */

import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { which } from '../../vm/tools.ts';
import { startDockerd } from './dockerd.ts';
import type { OtherEngine } from './other-engine.ts';
import { startPodman } from './podman.ts';
import { run } from './process.ts';
import { unpackHostbox } from './rootfs.ts';
import { prepareRunc, type Runc } from './runc.ts';
import { type Shim, startShim } from './shim.ts';
import { type Skiff, startSkiff } from './skiff.ts';

/** Either the thing, or why there is none. */
export type Maybe<T> = { value: T } | { value: null; reason: string };

/** The engines that ours stands beside through Docker's API, in the order they are told. */
export const OTHERS = ['dockerd', 'podman'] as const;
export type Other = (typeof OTHERS)[number];

export const IMAGE = 'hostbox';

async function attempt<T>(make: () => Promise<T>): Promise<Maybe<T>> {
  try {
    return { value: await make() };
  } catch (error) {
    return { value: null, reason: error instanceof Error ? error.message : String(error) };
  }
}

export class Engines {
  private readonly directory: string;
  private readonly made = new Map<string, Promise<unknown>>();
  private readonly stops: (() => Promise<void> | void)[] = [];

  /** @param directory an empty directory for everything; it is for the caller to remove after `stop`. */
  constructor(directory: string) {
    this.directory = directory;
  }

  private once<T>(name: string, make: () => Promise<T>): Promise<T> {
    const made = this.made.get(name) ?? make();
    this.made.set(name, made);
    return made as Promise<T>;
  }

  /** @throws Error when our own engine does not start: then there is nothing to measure. */
  skiff(): Promise<Skiff> {
    return this.once('skiff', async () => {
      const skiff = await startSkiff(this.directory);
      this.stops.push(skiff.stop);
      return skiff;
    });
  }

  /** The unpacked root of `IMAGE`: a directory. */
  rootfs(): Promise<string> {
    return this.once('rootfs', async () => unpackHostbox(await this.skiff(), this.directory));
  }

  runc(): Promise<Maybe<Runc>> {
    return this.runtime('runc');
  }

  /** @param program a runtime with runc's command line: its name, or a path. */
  runtime(program: string): Promise<Maybe<Runc>> {
    return this.once(program, () =>
      attempt(async () => {
        if (!program.includes('/') && which(program) === undefined) throw new Error(`${program} is not installed`);
        const bundle = join(this.directory, `bundle-${basename(program)}`);
        mkdirSync(bundle);
        const runtime = await prepareRunc(bundle, await this.rootfs(), program);
        this.stops.push(runtime.remove);
        // One that does not like the host's control groups says so now.
        await runtime.runTrue('first');
        return runtime;
      }),
    );
  }

  /** Our runtime alone, for runc's bundle. */
  shim(): Promise<Maybe<Shim>> {
    return this.once('shim', () =>
      attempt(async () => {
        const runc = await this.runc();
        if (runc.value === null) throw new Error(runc.reason);
        const directory = join(this.directory, 'shim');
        mkdirSync(directory);
        const shim = await startShim(runc.value.bundle, directory);
        this.stops.push(shim.stop);
        return shim;
      }),
    );
  }

  other(name: Other): Promise<Maybe<OtherEngine>> {
    const start = name === 'dockerd' ? startDockerd : startPodman;
    return this.once(name, () =>
      attempt(async () => {
        const engine = await start(this.directory);
        this.stops.push(engine.stop);
        const tar = join(this.directory, 'rootfs.tar');
        await run('tar', ['-cf', tar, '-C', await this.rootfs(), '.']);
        await engine.api.importImage(IMAGE, readFileSync(tar));
        return engine;
      }),
    );
  }

  /** Stop everything that was started, the last one first. */
  async stop(): Promise<void> {
    for (const stop of this.stops.splice(0).reverse()) {
      try {
        await stop();
      } catch (error) {
        // The others have to be stopped all the same.
        process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
      }
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}
