/** `--storage-opt size=…`: how much a container may write into its root. Kernel documentation, filesystems/quota. */

import { createHash } from 'node:crypto';
import { close, O_DIRECTORY, O_RDONLY, open } from '#kernel/descriptors';
import { KernelError } from '#kernel/errors';
import { enforcesProjects, projectOf, projectUsage, setProject, setProjectLimit } from '#kernel/quota';
import { inUserNamespace } from '#kernel/user-namespace';
import { ContainerError } from './errors.ts';
import type { ContainerPaths, StateRoot } from './root.ts';

/** The projects that engines take: far from those a person would choose, and /etc/projid is for. projid(5). */
const FIRST = 0x40000000;
const COUNT = 0x20000000;
/** Projects that are looked at before there is said to be none. */
const TRIES = 100_000;

const UNITS: Record<string, number> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40, p: 2 ** 50 };

/**
 * @param options HostConfig.StorageOpt
 * @returns bytes; undefined for no limit. @throws ContainerError `invalid`
 */
export function sizeLimit(options: Record<string, string>): number | undefined {
  for (const name of Object.keys(options))
    if (name.toLowerCase() !== 'size')
      throw new ContainerError('invalid', `unknown option ${name.slice(0, 60)}: --storage-opt has size`);
  const [text] = Object.values(options);
  if (text === undefined) return undefined;
  const [, number = '', unit = ''] = /^(\d{1,15}(?:\.\d{1,6})?) ?([kmgtp]?)(?:i?b)?$/i.exec(text) ?? [];
  const bytes = Math.floor(Number(number) * UNITS[unit.toLowerCase()]!);
  if (number === '' || bytes < 1 || bytes > Number.MAX_SAFE_INTEGER)
    throw new ContainerError(
      'invalid',
      `invalid size: '${text.slice(0, 60)}'. Write a number of bytes, or e.g. 512m or 10g.`,
    );
  return bytes;
}

/** Whether containers of this root can be limited. */
export function canLimitSize({ containers }: StateRoot): boolean {
  return !inUserNamespace() && withDirectory(containers, enforcesProjects);
}

/**
 * Give the new, empty directories of a container's root to a project of its own that may use so many bytes.
 * @throws ContainerError `unsupported` where the file system does not count projects
 */
export function limitSize(root: StateRoot, { upper, work }: ContainerPaths, bytes: number): void {
  if (!canLimitSize(root))
    throw new ContainerError(
      'unsupported',
      `--storage-opt size: the file system of ${root.dir} has no project quotas, or this is not its root. ` +
        'Keep the engine on xfs, or on ext4 that was made with -O quota,project, mounted with -o prjquota; or leave the option out.',
    );
  withDirectory(upper, (fd) => {
    const project = freeProject(fd, root.key);
    setProjectLimit(fd, project, bytes);
    // Both, for overlayfs moves what it has made in the one to the other, which is not done from project to project.
    setProject(fd, project);
    withDirectory(work, (other) => setProject(other, project));
  });
}

/** Take the limit away from what will be deleted; the project's number is free again once its files are gone. */
export function forgetSizeLimit({ upper }: ContainerPaths): void {
  try {
    withDirectory(upper, (fd) => {
      const project = projectOf(fd);
      if (project >= FIRST && project < FIRST + COUNT) setProjectLimit(fd, project, 0);
    });
  } catch (error) {
    // It may be half made, or on a file system that has been mounted in another way since.
    if (!(error instanceof KernelError)) throw error;
  }
}

/** One that has nothing, and may use anything: that nobody knows of. Engines begin to look at different places. */
function freeProject(fd: number, key: string): number {
  const start = createHash('sha256').update(key).digest().readUInt32LE(0);
  for (let offset = 0; offset < TRIES; offset++) {
    const project = FIRST + ((start + offset) % COUNT);
    const { limit, inodes, space } = projectUsage(fd, project);
    if (limit === 0 && inodes === 0 && space === 0) return project;
  }
  throw new ContainerError('failed', `--storage-opt size: ${TRIES} projects are in use; remove containers`);
}

function withDirectory<T>(path: string, use: (fd: number) => T): T {
  const fd = open(path, O_RDONLY | O_DIRECTORY);
  try {
    return use(fd);
  } finally {
    close(fd);
  }
}
