import * as z from 'zod/mini';
import { SkiffCommand } from '../command.ts';
import { confirmed } from '../confirm.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { humanSize } from '../format/size.ts';
import { say } from '../output.ts';

const Pruned = z.object({ CachesDeleted: z.nullish(z.array(z.string())), SpaceReclaimed: z.number() });

export function builderPruneCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('builder prune')
    .description('Remove the build cache')
    .operands('', 0)
    .option('-a, --all', 'Remove all unused build cache, not just dangling ones')
    .option('-f, --force', 'Do not prompt for confirmation')
    .examples('skiff builder prune -f')
    .run(async (_operands, { force }: { force?: boolean }) => {
      if (!force && !(await confirmed('This will remove all of the build cache.')))
        throw new CliError('builder prune has been cancelled');
      const { CachesDeleted: deleted, SpaceReclaimed: size } = await client.json('POST', '/build/prune', Pruned);
      if (deleted?.length) say(`Deleted build cache objects:\n${deleted.join('\n')}\n`);
      say(`Total reclaimed space: ${humanSize(size)}`);
    });
}
