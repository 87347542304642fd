/** A path in a container, asked of the daemon. Docker Engine API, "ContainerArchiveInfo". */

import path from 'node:path';
import * as z from 'zod';
import type { ApiClient } from '../api-client.ts';
import { containerPath } from '../containers.ts';
import { ApiError } from '../errors.ts';
import { splitEntry } from './copy-path.ts';

/** Go's os.FileMode. */
const MODE_DIRECTORY = 2 ** 31;
const MODE_SYMLINK = 2 ** 27;

const PathStat = z.object({ mode: z.number(), linkTarget: z.string() });

export type PathStat = z.infer<typeof PathStat>;

/** @returns undefined when nothing is there. */
export async function statPath(client: ApiClient, container: string, name: string): Promise<PathStat | undefined> {
  try {
    const answer = await client.stream('HEAD', containerPath(container, '/archive'), { query: { path: name } });
    answer.resume();
    return decodeStat(answer.headers['x-docker-container-path-stat']);
  } catch (error) {
    // What is wrong, if it is the container, is told by the request that comes next.
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** Of the header that every answer about a path has. */
export function decodeStat(header: string | string[] | undefined): PathStat {
  return PathStat.parse(JSON.parse(Buffer.from(String(header ?? ''), 'base64').toString()));
}

export function isLink({ mode }: PathStat): boolean {
  return Math.floor(mode / MODE_SYMLINK) % 2 === 1;
}

export function isDirectory({ mode }: PathStat): boolean {
  return mode >= MODE_DIRECTORY;
}

/** Where a link in the container leads. */
export function resolveIn(link: string, target: string): string {
  return path.posix.isAbsolute(target) ? target : path.posix.join(splitEntry(link).directory, target);
}
