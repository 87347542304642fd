import type { Readable } from 'node:stream';
import type { ApiClient } from '../api-client.ts';
import { containerPath } from '../containers.ts';
import { CliError } from '../errors.ts';
import { isDirectory, isLink, resolveIn, statPath } from './container-path.ts';
import { absolutePath, type CopyInfo, planCopy, type splitArgument } from './copy-path.ts';
import { localSource, packLocal } from './local-source.ts';

/** Copy into a container, from this machine or a tar on standard input. @throws CliError, CannotCopy */
export async function copyTo(
  client: ApiClient,
  source: string,
  { container, path: asked }: ReturnType<typeof splitArgument>,
  { archive = false, followLink = false }: { archive?: boolean; followLink?: boolean },
  onBytes: (count: number) => void,
): Promise<void> {
  let stat = await statPath(client, container, asked);
  let target = asked;
  if (stat && isLink(stat)) {
    target = resolveIn(asked, stat.linkTarget);
    stat = await statPath(client, container, target);
  }
  const destination: CopyInfo = {
    path: target,
    exists: stat !== undefined,
    isDirectory: stat !== undefined && isDirectory(stat),
    rebaseName: '',
  };
  let content: Readable;
  let directory = target;
  if (source === '-') {
    if (!destination.isDirectory) throw new CliError(`destination "${container}:${asked}" must be a directory`);
    if (process.stdin.isTTY) throw new CliError('an archive is read from standard input, and that is a terminal');
    content = process.stdin;
  } else {
    const info = localSource(absolutePath(source), followLink);
    const plan = planCopy(info, destination);
    directory = plan.directory;
    content = packLocal(info, plan.rename, onBytes);
  }
  const query = {
    path: directory.replace(/(?<=.)\/$/, ''),
    noOverwriteDirNonDir: true,
    ...(archive && { copyUIDGID: true }),
  };
  await client.text('PUT', containerPath(container, '/archive'), { query, content });
}
