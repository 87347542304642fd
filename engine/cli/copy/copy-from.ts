import fs from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ApiClient } from '../api-client.ts';
import { refuseTerminal } from '../archive-output.ts';
import { containerPath } from '../containers.ts';
import { CliError } from '../errors.ts';
import { complain } from '../output.ts';
import { decodeStat, isDirectory, isLink, resolveIn, statPath } from './container-path.ts';
import {
  absolutePath,
  type CopyInfo,
  planCopy,
  rebase,
  type splitArgument,
  splitEntry,
  withEndOf,
} from './copy-path.ts';
import { unpack } from './unpack.ts';

/** Copy out of a container, to this machine or as a tar to standard output. @throws CliError, CannotCopy */
export async function copyFrom(
  client: ApiClient,
  { container, path: asked }: ReturnType<typeof splitArgument>,
  destination: string,
  { followLink = false }: { followLink?: boolean },
  onBytes: (count: number) => void,
): Promise<void> {
  if (destination === '-') refuseTerminal(undefined, 'Redirect it');
  let source = asked;
  let rebaseName = '';
  if (followLink) {
    const stat = await statPath(client, container, asked);
    if (stat && isLink(stat)) {
      source = withEndOf(resolveIn(asked, stat.linkTarget), asked);
      if (path.posix.basename(source) !== path.posix.basename(asked)) rebaseName = path.posix.basename(asked);
    }
  }
  const target = destination === '-' ? undefined : localDestination(absolutePath(destination));
  const answer = await client.stream('GET', containerPath(container, '/archive'), { query: { path: source } });
  if (target === undefined) return await pipeline(answer, process.stdout, { end: false });
  const stat = decodeStat(answer.headers['x-docker-container-path-stat']);
  const info: CopyInfo = { path: source, exists: true, isDirectory: isDirectory(stat), rebaseName };
  try {
    const plan = planCopy(info, target);
    const called = rebaseName === '' ? (name: string) => name : rebase(splitEntry(source).base, rebaseName);
    await unpack(answer, {
      directory: plan.directory,
      rename: (name) => plan.rename(called(name)),
      onBytes,
      warn: complain,
    });
  } catch (error) {
    answer.destroy();
    throw error;
  }
}

/** What is there to be written to. @throws CliError as docker does, before anything is asked for */
function localDestination(destination: string): CopyInfo {
  let place = destination;
  const info = fs.lstatSync(destination, { throwIfNoEntry: false });
  if (info?.isSymbolicLink()) place = withEndOf(fs.realpathSync(destination), destination);
  const stat = fs.statSync(place, { throwIfNoEntry: false });
  if (stat === undefined) {
    const parent = path.dirname(path.normalize(destination));
    if (!fs.existsSync(parent)) throw new CliError(`invalid output path: directory "${parent}" does not exist`);
  } else if (!stat.isDirectory() && !stat.isFile())
    throw new CliError(`invalid output path: "${destination}" must be a directory or a regular file`);
  return { path: place, exists: stat !== undefined, isDirectory: stat?.isDirectory() ?? false, rebaseName: '' };
}
