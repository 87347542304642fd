/** RUN: a command in a container of what there is so far; what it changed is the layer. */

import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeRootDirectories } from '#overlay';
import { makePathInRoot } from '../../runtime/path-in-root.ts';
import type { ArchiveEntry } from '../archive.ts';
import { upperEntries } from '../layer-diff.ts';
import { makePlaces } from '../places.ts';
import { BuildError } from './build-error.ts';
import { resolveDestination } from './destination.ts';
import type { Instruction } from './dockerfile.ts';
import { prepareMount } from './mounts.ts';
import type { RunMount } from './options.ts';
import type { Plan, Planning } from './plan.ts';
import { type RunStep, runOf } from './run-step.ts';
import { dated } from './run-times.ts';
import { describeSources, sourcesFor } from './sources.ts';
import { StackTree } from './stack-tree.ts';

export async function planRun(instruction: Instruction, { context, state, expand }: Planning): Promise<Plan> {
  const { builder, options, args } = context;
  const { execution } = state;
  const step = runOf(instruction, execution, expand);
  const { shown, hidden } = args.forRun(execution.Env ?? []);
  const network = step.network ?? options.network;
  const binds = await Promise.all(step.mounts.map((mount) => bindOf(mount, context)));
  const prefix = shown.length > 0 ? [`|${shown.length}`, ...shown] : [];
  return {
    identity: JSON.stringify(['RUN', step.args, step.script ?? '', shown, step.mounts, network]),
    createdBy: ['RUN', ...prefix, ...step.args].join(' '),
    files: await describeSources(binds.flatMap((bind) => bind?.sources ?? [])),
    execution,
    layer: async (time) => {
      const scratch = join(builder.scratch, randomUUID());
      const [upper, work, places] = ['upper', 'work', 'places'].map((name) => join(scratch, name)) as [
        string,
        string,
        string,
      ];
      mkdirSync(scratch, { mode: 0o700 });
      mkdirSync(places, { mode: 0o755 });
      const mountPlaces = { caches: builder.cacheMounts, scratch, secrets: options.secrets };
      const prepared = await Promise.all(
        step.mounts.map((mount, index) => prepareMount(mount, binds[index]?.tree, mountPlaces)),
      );
      const mounts = prepared.filter((mount): mount is RunMount => mount !== undefined);
      if (step.script) mounts.push(scriptMount(step.script, scratch));
      const lower = await builder.images.prepareLayers(state.layers);
      makePlaces(places);
      const image = new StackTree(lower);
      for (const volume of Object.keys(execution.Volumes ?? {})) makeVolumePlace(image, volume, places);
      makeRootDirectories({ upper, work }, lower[0] ?? places);
      const from = Date.now();
      const exitCode = await builder.run({
        // At the bottom, they are only seen where the image has nothing, and are not part of what the command changed.
        lower: [...lower, places],
        upper,
        work,
        scratch,
        args: step.args,
        env: [...hidden, ...shown, ...(execution.Env ?? [])],
        cwd: execution.WorkingDir || '/',
        user: execution.User ?? '',
        network,
        mounts,
        onOutput: (text) => context.say(text),
        signal: builder.signal,
      });
      if (exitCode !== 0)
        throw new BuildError(`The command '${step.args.join(' ')}' returned a non-zero code: ${exitCode}`, {
          exitCode,
        });
      const changes = changesOf(upper, mountPoints(image, mounts));
      return {
        entries: dated(changes, { from, to: Date.now() }, time, context.sourceDate),
        dispose: () => rmSync(scratch, { recursive: true, force: true }),
      };
    },
  };
}

async function bindOf(
  { type, from, source, target }: RunStep['mounts'][number],
  { builder, treeOf }: Planning['context'],
) {
  if (type !== 'bind' && !(type === 'cache' && from !== undefined)) return undefined;
  const tree = from === undefined ? builder.context.tree : await treeOf(from);
  const where = from === undefined ? 'the build context' : `"${from}"`;
  return { tree, sources: sourcesFor(tree, [source || '/'], where, `It is to be mounted at ${target}.`) };
}

function scriptMount({ path, content }: NonNullable<RunStep['script']>, scratch: string): RunMount {
  const source = join(scratch, 'script');
  writeFileSync(source, content);
  chmodSync(source, 0o755);
  return { destination: path, source, readonly: true, options: [] };
}

/** A declared volume is there for commands that come after it, also when the image has nothing at that path. */
function makeVolumePlace(image: StackTree, volume: string, places: string): void {
  const path = resolveDestination(image, volume);
  if (!image.entry(path)) makePathInRoot(places, path, 'directory');
}

/** The places that were made for the mounts, with the directories above them that were not there. */
function mountPoints(image: StackTree, mounts: RunMount[]): { made: Set<string>; above: Set<string> } {
  const made = new Set<string>();
  const above = new Set<string>();
  for (const { destination } of mounts) {
    const path = resolveDestination(image, destination);
    if (image.entry(path)) continue;
    made.add(path);
    const parts = path.split('/').slice(0, -1);
    for (let length = parts.length; length > 0; length--) {
      const parent = parts.slice(0, length).join('/');
      if (!image.entry(parent)) above.add(parent);
    }
  }
  return { made, above };
}

function changesOf(upper: string, { made, above }: ReturnType<typeof mountPoints>): ArchiveEntry[] {
  const entries = [...upperEntries(upper, { exclude: (path) => made.has(path) })];
  const needed = new Set(entries.filter(({ path }) => !above.has(path)).flatMap(({ path }) => parentsOf(path)));
  return entries.filter(({ path }) => !above.has(path) || needed.has(path));
}

function parentsOf(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}
