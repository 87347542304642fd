import { NetworksPrunedSchema } from '../api-types.ts';
import { SkiffCommand } from '../command.ts';
import { confirmed } from '../confirm.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { collectFilter, filters } from '../options/filters.ts';
import { say } from '../output.ts';

export function networkPruneCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('network prune')
    .description('Remove all unused networks')
    .operands('', 0)
    .option('--filter <filter>', "Which networks, e.g. 'until=24h'", collectFilter)
    .option('-f, --force', 'Do not prompt for confirmation')
    .examples('skiff network prune -f')
    .run(async (_operands, { force, filter }: { force?: boolean; filter?: string[] }) => {
      if (!force && !(await confirmed('This will remove all custom networks not used by at least one container.')))
        throw new CliError('network prune has been cancelled');
      const query = { filters: filters(filter) };
      const { NetworksDeleted } = await client.json('POST', '/networks/prune', NetworksPrunedSchema, { query });
      if (NetworksDeleted?.length) say(`Deleted Networks:\n${NetworksDeleted.join('\n')}\n`);
    });
}
