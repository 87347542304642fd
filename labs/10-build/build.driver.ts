/**
 * How the judge asks the plank `build`: a tree travels as a list, and a whole build is the engine's, with your decisions in
 * it. The images come from nothing and only copy, so nothing is run, and no kernel is needed.
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { configure, findSources, ignoreFilter } from '#build';
import type { Change, Settings, Tree } from '#contract/build';
import { buildImage } from '../../engine/image/build/build-image.ts';
import { BuildCache } from '../../engine/image/build/cache.ts';
import { openContext } from '../../engine/image/build/context.ts';
import { Images } from '../../engine/image/images.ts';

/** Paths, each with where its link leads; `null` for a file, and a slash at the end of a directory. */
export type Paths = Record<string, string | null>;

export function findIn(paths: Paths, pattern: string): { name: string; path: string }[] {
  return findSources(treeOf(paths), pattern);
}

function treeOf(paths: Paths): Tree {
  const links = new Map(Object.entries(paths).map(([path, target]) => [path.replace(/\/$/, ''), target]));
  const directories = new Set(['', ...Object.keys(paths).flatMap(parentsOf)]);
  return {
    entry: (path) => {
      if (directories.has(path)) return { type: 'directory' };
      const target = links.get(path);
      if (target === undefined) return undefined;
      return target === null ? { type: 'file' } : { type: 'symlink', target };
    },
    names: (directory) =>
      [...links.keys(), ...directories]
        .filter((path) => path !== '' && parentOf(path) === directory)
        .map((path) => path.slice(path.lastIndexOf('/') + 1))
        .reverse(),
  };
}

function parentsOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** Which of the paths a `.dockerignore` leaves out. */
export function ignoredOf(rules: string, paths: string[]): string[] {
  return paths.filter(ignoreFilter(rules));
}

export interface BuildRequest {
  /** The directory of the context, with a Dockerfile. */
  context: string;
  /** Where images and the cache are kept from one build to the next; made if missing. */
  state: string;
  buildArgs?: Record<string, string>;
  target?: string;
}

/** What came of a build. */
export interface Built {
  id: string;
  layers: string[];
  /** For each step whether the cache had it. */
  cached: boolean[];
}

export async function build({ context, state, buildArgs = {}, target }: BuildRequest): Promise<Built> {
  const scratch = join(state, `scratch-${process.hrtime.bigint()}`);
  mkdirSync(scratch, { recursive: true });
  const images = await Images.open(join(state, 'images'));
  const opened = openContext(context);
  const said: string[] = [];
  const image = await buildImage(
    {
      images,
      cache: new BuildCache(join(state, 'cache'), images),
      cacheMounts: join(state, 'mounts'),
      scratch,
      context: opened,
      run: () => Promise.reject(new Error('nothing is run here')),
      findImage: (reference) => images.find(reference),
      onOutput: (text) => said.push(text),
      signal: new AbortController().signal,
    },
    {
      dockerfile: 'Dockerfile',
      // The same times, and so the same digests, wherever it is built.
      buildArgs: { ...buildArgs, SOURCE_DATE_EPOCH: '1000000000' },
      labels: {},
      tags: [],
      noCache: false,
      network: 'none',
      secrets: {},
      ...(target !== undefined && { target }),
    },
  );
  const steps = said
    .join('')
    .split(/^Step .*$/m)
    .slice(1);
  return {
    id: image.id,
    layers: image.config.rootfs.diff_ids,
    cached: steps.map((step) => step.includes('Using cache')),
  };
}

/** Make each of the changes to a copy of the same settings. @returns what each of those copies is afterwards */
export function configuredFrom(settings: Settings, changes: Change[]): Settings[] {
  return changes.map((change) => {
    const given = structuredClone(settings);
    configure(given, change, false);
    return given;
  });
}
