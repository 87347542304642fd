import fs from 'node:fs';
import path from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import * as z from 'zod';
import type { ApiClient } from '../api-client.ts';
import { refuseTerminal } from '../archive-output.ts';
import { SkiffCommand } from '../command.ts';
import { containerPath } from '../containers.ts';
import type { Context } from '../context.ts';
import {
  absolutePath,
  CannotCopy,
  type CopyInfo,
  planCopy,
  rebase,
  splitArgument,
  splitEntry,
  withEndOf,
} from '../copy/copy-path.ts';
import { localSource, packLocal } from '../copy/local-source.ts';
import { unpack } from '../copy/unpack.ts';
import { ApiError, CliError } from '../errors.ts';
import { humanSize } from '../format/size.ts';
import { complain } from '../output.ts';

interface CpOptions {
  archive?: boolean;
  followLink?: boolean;
  quiet?: boolean;
}

/** Go's os.FileMode. */
const MODE_DIRECTORY = 2 ** 31;
const MODE_SYMLINK = 2 ** 27;

const PathStat = z.object({ mode: z.number(), linkTarget: z.string() });

export function cpCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('cp')
    .description('Copy files/folders between a container and the local filesystem')
    .operands('CONTAINER:SRC_PATH DEST_PATH|- | SRC_PATH|- CONTAINER:DEST_PATH', 2, 2)
    .option('-a, --archive', 'Archive mode (copy all uid/gid information)')
    .option('-L, --follow-link', 'Always follow symbol link in SRC_PATH')
    .option('-q, --quiet', 'Suppress progress output during copy')
    .examples('skiff cp web:/etc/hosts .', 'skiff cp site/. web:/srv', 'skiff cp web:/srv - | tar tv')
    .run(async ([source = '', destination = ''], options: CpOptions) => {
      const [from, to] = [splitArgument(source), splitArgument(destination)];
      if (from.container !== '' && to.container !== '')
        throw new CliError('copying between containers is not supported');
      if (from.container === '' && to.container === '')
        throw new CliError('must specify at least one container source');
      const copied = { bytes: 0 };
      const where = to.container === '' ? to.path : `${to.container}:${to.path}`;
      try {
        if (to.container === '') await copyFrom(client, from, to.path, options, copied);
        else await copyTo(client, from.path, to, options, copied);
      } catch (error) {
        throw error instanceof CannotCopy ? new CliError(error.message) : error;
      }
      // As docker has it, for who watches.
      if (options.quiet || where === '-' || !process.stderr.isTTY) return;
      const shown = to.container === '' ? path.resolve(to.path) : where;
      complain(`Successfully copied ${humanSize(copied.bytes, 3)} to ${shown}`);
    });
}

type Place = ReturnType<typeof splitArgument>;

async function copyFrom(
  client: ApiClient,
  { container, path: asked }: Place,
  destination: string,
  { followLink = false }: CpOptions,
  copied: { bytes: number },
): Promise<void> {
  if (destination === '-') refuseTerminal(undefined);
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
  const { mode } = decode(answer.headers['x-docker-container-path-stat']);
  const info: CopyInfo = { path: source, exists: true, isDirectory: mode >= MODE_DIRECTORY, rebaseName };
  try {
    const plan = planCopy(info, target);
    const called = rebaseName === '' ? (name: string) => name : rebase(splitEntry(source).base, rebaseName);
    await unpack(answer as Readable, {
      directory: plan.directory,
      rename: (name) => plan.rename(called(name)),
      onBytes: (count) => {
        copied.bytes += count;
      },
      warn: complain,
    });
  } catch (error) {
    answer.destroy();
    throw error;
  }
}

async function copyTo(
  client: ApiClient,
  source: string,
  { container, path: asked }: Place,
  { archive = false, followLink = false }: CpOptions,
  copied: { bytes: number },
): Promise<void> {
  let stat = await statPath(client, container, asked);
  let target = asked;
  if (stat && isLink(stat)) {
    target = resolveIn(asked, stat.linkTarget);
    stat = await statPath(client, container, target);
  }
  const isDirectory = stat !== undefined && stat.mode >= MODE_DIRECTORY;
  const destination: CopyInfo = { path: target, exists: stat !== undefined, isDirectory, rebaseName: '' };
  let content: Readable;
  let directory = target;
  if (source === '-') {
    if (!isDirectory) throw new CliError(`destination "${container}:${asked}" must be a directory`);
    if (process.stdin.isTTY) throw new CliError('an archive is read from standard input, and that is a terminal');
    content = process.stdin;
  } else {
    const info = localSource(absolutePath(source), followLink);
    const plan = planCopy(info, destination);
    directory = plan.directory;
    content = packLocal(info, plan.rename, (count) => {
      copied.bytes += count;
    });
  }
  const query = {
    path: directory.replace(/(?<=.)\/$/, ''),
    noOverwriteDirNonDir: true,
    ...(archive && { copyUIDGID: true }),
  };
  // Its own stream, since a request's end must not close this program's standard input.
  const through = new PassThrough();
  pipeline(content, through).catch(() => {});
  await client.text('PUT', containerPath(container, '/archive'), { query, content: through });
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

async function statPath(client: ApiClient, container: string, name: string) {
  try {
    const answer = await client.stream('HEAD', containerPath(container, '/archive'), { query: { path: name } });
    answer.resume();
    return decode(answer.headers['x-docker-container-path-stat']);
  } catch (error) {
    // What is wrong, if it is the container, is told by the request that comes next.
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

function decode(header: string | string[] | undefined): z.infer<typeof PathStat> {
  return PathStat.parse(JSON.parse(Buffer.from(String(header ?? ''), 'base64').toString()));
}

function isLink({ mode }: { mode: number }): boolean {
  return Math.floor(mode / MODE_SYMLINK) % 2 === 1;
}

function resolveIn(link: string, target: string): string {
  return path.posix.isAbsolute(target) ? target : path.posix.join(splitEntry(link).directory, target);
}
