/**
 * How the judge asks the plank `build`: a tree travels as a list, and a whole build is the engine's, with your decisions in
 * it. The images come from nothing and only copy, so nothing is run, and no kernel is needed.
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as plank from '#build';
import type { Change, Settings, SourceFile, Tree } from '#contract/build';
import { buildImage } from '../../engine/image/build/build-image.ts';
import { BuildCache } from '../../engine/image/build/cache.ts';
import { openContext } from '../../engine/image/build/context.ts';
import type { Execution } from '../../engine/image/documents.ts';
import { Images } from '../../engine/image/images.ts';
import { type Decision, decideWith } from './build.plank.ts';

/** What a call came to; `threw` is the error in words. */
export type Outcome = { value: unknown } | { threw: string };

/** Expand each of the words. @throws NotImplemented */
export function expandAll(words: string[], variables: Record<string, string>, escapeToken?: string): Outcome[] {
  const more = escapeToken === undefined ? [] : ([escapeToken] as const);
  return words.map((word) => outcomeOf(() => plank.expand(word, variables, ...more)));
}

export function orderAll(asked: Parameters<typeof plank.stageOrder>[]): Outcome[] {
  return asked.map((args) => outcomeOf(() => plank.stageOrder(...args)));
}

/** Paths, each with where its link leads; `null` for a file. */
export type Paths = Record<string, string | null>;

/** What each of the patterns finds, as `name`, or as `name → path` where the two differ. */
export function findAll(paths: Paths, patterns: string[]): Outcome[] {
  const tree = treeOf(paths);
  return patterns.map((pattern) =>
    outcomeOf(() =>
      plank.findSources(tree, pattern).map(({ name, path }) => (name === path ? name : `${name} → ${path}`)),
    ),
  );
}

function outcomeOf(work: () => unknown): Outcome {
  try {
    return { value: work() };
  } catch (error) {
    const { name, message } = error as Error;
    // "Not written yet" is something else than a wrong answer.
    if (name === 'NotImplemented') throw error;
    return { threw: `${name}: ${message}` };
  }
}

function treeOf(paths: Paths): Tree {
  const targets = new Map(Object.entries(paths));
  const directories = new Set(['', ...Object.keys(paths).flatMap(parentsOf)]);
  return {
    entry: (path) => {
      if (directories.has(path)) return { type: 'directory' };
      const target = targets.get(path);
      if (target === undefined) return undefined;
      return target === null ? { type: 'file' } : { type: 'symlink', target };
    },
    names: (directory) =>
      [...targets.keys(), ...directories]
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

/** Which of the paths each `.dockerignore` leaves out. */
export function ignoredByAll(texts: string[], paths: string[]): string[][] {
  return texts.map((text) => {
    const isIgnored = plank.ignoreFilter(text);
    return paths.filter((path) => isIgnored(path));
  });
}

/** @returns for each change what came of the settings, and what the settings that went in are afterwards. */
export function configuredFrom(settings: Settings, changes: Change[]): { after: Settings; given: Settings }[] {
  return changes.map((change) => {
    const given = structuredClone(settings);
    return { after: plank.configure(given, change, false), given };
  });
}

/** @returns the key, and the files that were passed in as they are afterwards. */
export function keyOf(parent: string, instruction: string, files: SourceFile[]): { key: string; files: SourceFile[] } {
  return { key: plank.cacheKey(parent, instruction, files), files };
}

export interface BuildRequest {
  /** The directory of the context, with a Dockerfile. */
  context: string;
  /** Where images and the cache are kept from one build to the next; made if missing. */
  state: string;
  buildArgs?: Record<string, string>;
  target?: string;
  /** What your module decides; the rest, and what of it is not written yet, is decided as the engine does. */
  yours: Decision[];
}

/** What came of a build. */
export interface Built {
  id: string;
  config: Execution;
  layers: string[];
  /** For each step whether the cache had it. */
  cached: boolean[];
}

export async function build({ context, state, buildArgs = {}, target, yours }: BuildRequest): Promise<Built> {
  decideWith(yours);
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
    config: image.config.config ?? {},
    layers: image.config.rootfs.diff_ids,
    cached: steps.map((step) => step.includes('Using cache')),
  };
}
