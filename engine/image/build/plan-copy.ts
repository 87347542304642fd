/** COPY and ADD: from patterns to a layer. */

import { randomUUID } from 'node:crypto';
import { join, posix } from 'node:path';
import { ownerOf } from './accounts.ts';
import { unpackArchive } from './add-archive.ts';
import { InvalidBuild } from './build-error.ts';
import { type Copy, copyOf } from './copy-step.ts';
import { copyEntries } from './destination.ts';
import type { Instruction } from './dockerfile.ts';
import { download, isUrl } from './download.ts';
import type { Plan, Planning } from './plan.ts';
import { describeSources, type Source, sourcesFor } from './sources.ts';
import { StackTree } from './stack-tree.ts';
import { expandText } from './variables.ts';

export async function planCopy(instruction: Instruction, { context, state, expand }: Planning): Promise<Plan> {
  const { escapeToken } = context.dockerfile;
  const variables = context.args.variables(state.execution.Env ?? []);
  const copy = copyOf(instruction, escapeToken, expand, (text) => expandText(text, variables));
  const destination = absolute(state.execution.WorkingDir ?? '/', copy.destination);
  const sources = await sourcesOf(copy, context, destination.endsWith('/'));
  const { inline, chown, mode } = copy;
  return {
    identity: JSON.stringify([instruction.keyword, inline, destination, chown, mode ?? '', sources.length]),
    createdBy: instruction.statement,
    files: await describeSources(sources),
    execution: state.execution,
    layer: async (time) => {
      const image = new StackTree(await context.builder.images.prepareLayers(state.layers));
      const owner = chown === '' ? undefined : ownerOf(image, chown);
      return { entries: await copyEntries(image, { sources, inline, destination, owner, mode, time }) };
    },
  };
}

/** @param named whether what is fetched has to have a name of its own. */
async function sourcesOf(
  { from, patterns, isAdd, checksum }: Copy,
  context: Planning['context'],
  named: boolean,
): Promise<Source[]> {
  const { builder, treeOf, say } = context;
  const unpacked = async (source: Source) =>
    (await unpackArchive(source, join(builder.scratch, randomUUID()))) ?? source;
  if (from !== undefined) {
    const hint = 'COPY --from looks in the finished stage or image, from its root.';
    const found = sourcesFor(await treeOf(from), patterns, `"${from}"`, hint);
    return found.map((source) => ({ ...source, keepOwners: true, chownable: true }));
  }
  const sources: Source[] = [];
  for (const pattern of patterns) {
    if (isAdd && isUrl(pattern)) {
      say(`Downloading ${pattern}\n`);
      const fetched = await download(pattern, join(builder.scratch, randomUUID()), {
        checksum,
        signal: builder.signal,
      });
      if (named && fetched.name === '')
        throw new InvalidBuild(`cannot determine a file name for ${pattern}: end the destination with one`);
      sources.push(fetched);
      continue;
    }
    const found = sourcesFor(
      builder.context.tree,
      [pattern],
      'the build context',
      'Paths are relative to the directory that is sent; what .dockerignore names is not in it.',
    );
    sources.push(...(isAdd ? await Promise.all(found.map(unpacked)) : found));
  }
  return sources;
}

/** A destination that ends with a slash is a directory, and stays one that does. */
function absolute(workingDirectory: string, destination: string): string {
  const path = posix.resolve('/', workingDirectory, destination);
  return /(^|\/)\.?$/.test(destination) && path !== '/' ? `${path}/` : path;
}
