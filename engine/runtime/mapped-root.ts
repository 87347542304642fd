/**
 * The root of a container in a user namespace, whose files belong on the disk to whom they belong in the container
 * (`MappedState`). Only root of the host may map the ids of a mount, mount an overlay that keeps its marks where the layers
 * have them, and pass through directories that are closed to others. So the parent has these mounts ready, and the
 * container's first process puts them in place. Until then they are in no tree, so nothing can be left behind.
 */

import { fstatSync, mkdirSync, writeFileSync } from 'node:fs';
import { close, O_PATH, open } from '#kernel/descriptors';
import { copyMount, mapMountIds, mount, placeMount } from '#kernel/mounts';
import { idMap } from './id-map.ts';
import type { Starter } from './launch.ts';
import { mountOverlayApart } from './overlay-apart.ts';
import type { MappedState, Mount, Spec } from './spec.ts';
import { hostIdsOfRoot } from './spec-ids.ts';
import { step } from './step.ts';

/** Descriptors of mounts. */
export interface MappedRoot {
  state: MappedState;
  /** The directory of the state, with mapped ids. */
  tree: number;
  /** The stack that is the container's root. */
  root: number;
  /** The sources of binds that are not of the engine's state, by their place in the list of mounts. */
  sources: Map<number, number>;
}

/** In the parent. @returns null for a container that has no such root. @throws Error with the step that failed */
export async function openMappedRoot(spec: Spec, starter: Starter): Promise<MappedRoot | null> {
  const { root, linux, mounts } = spec;
  const { mapped: state, overlay, path } = root;
  const owner = hostIdsOfRoot(linux);
  if (state === undefined || overlay === undefined || owner === null) return null;
  const opened: number[] = [];
  const own = (fd: number) => {
    opened.push(fd);
    return fd;
  };
  try {
    const map = await idMap(linux.uidMappings ?? [], linux.gidMappings ?? [], starter);
    const openTree = () => step('map ids', () => openMapped(state.directory, map));
    const stack = own(await mountOverlayApart({ path, overlay, state, openTree, owner }, starter));
    const sources = new Map<number, number>();
    for (const [index, each] of mounts.entries())
      if (isForeignBind(each, state)) sources.set(index, own(openSource(each)));
    return { state, tree: own(openTree()), root: stack, sources };
  } catch (error) {
    for (const fd of opened) close(fd);
    throw error;
  }
}

export function closeMappedRoot({ tree, root, sources }: MappedRoot): void {
  for (const fd of [tree, root, ...sources.values()]) close(fd);
}

/**
 * In the child, as root of its namespaces: put everything in place. What is mounted on the engine's own files comes from the
 * mapped tree by itself, which lies over them now.
 * @returns the mounts that are left to do, from sources that this process can reach.
 */
export function placeMappedRoot({ state, tree, root, sources }: MappedRoot, path: string, mounts: Mount[]): Mount[] {
  return step('mapped root', () => {
    placeMount(tree, state.directory);
    placeMount(root, path);
    mount({ source: 'tmpfs', target: state.scratch, type: 'tmpfs', data: 'mode=700' });
    return mounts.map((each, index) => {
      const fd = sources.get(index);
      if (fd === undefined) return each;
      const source = `${state.scratch}/${index}`;
      if (fstatSync(fd).isDirectory()) mkdirSync(source);
      else writeFileSync(source, '');
      placeMount(fd, source);
      return { ...each, source };
    });
  });
}

/** A file system may not know how. */
function openMapped(directory: string, map: number): number {
  const tree = copyOf(directory, false);
  try {
    mapMountIds(tree, map);
    return tree;
  } catch (error) {
    close(tree);
    if ((error as NodeJS.ErrnoException).code === 'EINVAL')
      (error as Error).message +=
        `. The file system of ${directory} cannot map ids; ext4, xfs and btrfs can since Linux 5.12 to 5.15. Keep the engine's files on one of them, or leave --userns-remap out.`;
    throw error;
  }
}

function isForeignBind({ source = '', options = [] }: Mount, { directory }: MappedState): boolean {
  return options.some((option) => option === 'bind' || option === 'rbind') && !`${source}/`.startsWith(`${directory}/`);
}

function openSource({ source = '', destination, options = [] }: Mount): number {
  return step(`mount ${destination}`, () => copyOf(source, options.includes('rbind')));
}

function copyOf(path: string, recursive: boolean): number {
  const fd = open(path, O_PATH);
  try {
    return copyMount(fd, recursive);
  } finally {
    close(fd);
  }
}
