import path from 'node:path';
import { SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { copyFrom } from '../copy/copy-from.ts';
import { CannotCopy, splitArgument } from '../copy/copy-path.ts';
import { copyTo } from '../copy/copy-to.ts';
import { CliError } from '../errors.ts';
import { humanSize } from '../format/size.ts';
import { complain } from '../output.ts';

interface CpOptions {
  archive?: boolean;
  followLink?: boolean;
  quiet?: boolean;
}

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
      let bytes = 0;
      const onBytes = (count: number) => {
        bytes += count;
      };
      const where = to.container === '' ? to.path : `${to.container}:${to.path}`;
      try {
        if (to.container === '') await copyFrom(client, from, to.path, options, onBytes);
        else await copyTo(client, from.path, to, options, onBytes);
      } catch (error) {
        throw error instanceof CannotCopy ? new CliError(error.message) : error;
      }
      // As docker has it, for a user who watches.
      if (options.quiet || where === '-' || !process.stderr.isTTY) return;
      const shown = to.container === '' ? path.resolve(to.path) : where;
      complain(`Successfully copied ${humanSize(bytes, 3)} to ${shown}`);
    });
}
