/** What RUN --mount=… mounts, made ready on the host. */

import { createHash } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { resolveInTree } from './build.ts';
import { InvalidBuild } from './build-error.ts';
import { copyOut } from './copy-out.ts';
import type { RunMount } from './options.ts';
import type { Mount } from './run-step.ts';
import type { StackTree } from './stack-tree.ts';

export interface MountPlaces {
  /** The caches that outlive builds. */
  caches: string;
  /** For copies, gone after the command. */
  scratch: string;
  secrets: Record<string, Buffer>;
}

/** @param tree what a bind is of, or a new cache begins with; undefined for the others. @returns undefined for a secret that nobody gave and nobody needs */
export async function prepareMount(
  mount: Mount,
  tree: StackTree | undefined,
  places: MountPlaces,
): Promise<RunMount | undefined> {
  const { target: destination, readonly } = mount;
  switch (mount.type) {
    case 'tmpfs':
      return { destination, readonly: false, options: mount.size === undefined ? [] : [`size=${mount.size}`] };
    case 'cache':
      return { destination, readonly, options: [], source: await cacheDirectory(mount, tree, places) };
    case 'secret':
      return secretFile(mount, places);
    case 'bind': {
      if (!tree) throw new Error(`the bind of ${destination} has no tree`);
      return { destination, readonly, options: [], source: await boundCopy(mount, tree, places.scratch) };
    }
  }
}

/** Named by a digest: an id may be any text. It is there as a whole or not at all, no matter who else makes it meanwhile. */
async function cacheDirectory(
  { id, source, target, mode, uid, gid }: Mount,
  tree: StackTree | undefined,
  places: MountPlaces,
) {
  const directory = join(places.caches, createHash('sha256').update(id).digest('hex'));
  if (existsSync(directory)) return directory;
  const made = join(places.scratch, `cache-${createHash('sha256').update(target).digest('hex')}`);
  if (tree) await copyOf(tree, source, target, made);
  else mkdirSync(made);
  if (!statSync(made).isDirectory())
    throw new InvalidBuild(`RUN --mount=type=cache: "${source}" is not a directory to begin ${target} with`);
  chmodSync(made, mode ?? 0o755);
  chownSync(made, uid, gid);
  try {
    renameSync(made, directory);
  } catch (error) {
    if (!existsSync(directory)) throw error;
  }
  return directory;
}

function secretFile(
  { id, required, target, mode, uid, gid }: Mount,
  { scratch, secrets }: MountPlaces,
): RunMount | undefined {
  const secret = Object.hasOwn(secrets, id) ? secrets[id] : undefined;
  if (!secret) {
    if (required)
      throw new InvalidBuild(`secret ${id}: not found; give it with skiff build --secret id=${id},src=FILE`);
    return undefined;
  }
  const source = join(scratch, `secret-${createHash('sha256').update(target).digest('hex')}`);
  writeFileSync(source, secret, { mode: 0o600 });
  chmodSync(source, mode ?? 0o400);
  chownSync(source, uid, gid);
  return { destination: target, source, readonly: true, options: [] };
}

/** A copy: what the command writes there is not kept, and the tree may be of many layers. */
async function boundCopy({ source, target }: Mount, tree: StackTree, scratch: string): Promise<string> {
  const copy = join(scratch, `bind-${createHash('sha256').update(target).digest('hex')}`);
  await copyOf(tree, source, target, copy);
  return copy;
}

async function copyOf(tree: StackTree, source: string, target: string, copy: string): Promise<void> {
  const path = resolveInTree(tree, source);
  if (path === undefined) throw new InvalidBuild(`RUN --mount: "${source}" is not there to be mounted at ${target}`);
  await copyOut(tree, path, copy);
}
