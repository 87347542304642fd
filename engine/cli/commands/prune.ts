import { PrunedSchema } from '../api-types.ts';
import { SkiffCommand } from '../command.ts';
import { confirmed } from '../confirm.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { humanSize } from '../format/size.ts';
import { collectFilter, filters } from '../options/filters.ts';
import { say } from '../output.ts';

interface PruneOptions {
  force?: boolean;
  filter?: string[];
  json?: boolean;
}

export function pruneCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('container prune')
    .description('Remove all stopped containers')
    .operands('', 0)
    .option('--filter <filter>', "Which containers, e.g. 'until=24h' or 'label=stage'", collectFilter)
    .option('-f, --force', 'Do not prompt for confirmation')
    .option('--json', 'Print one JSON document')
    .examples('skiff container prune -f')
    .run(async (_operands, { force, filter, json }: PruneOptions) => {
      if (!force && !(await confirmed('This will remove all stopped containers.')))
        throw new CliError('container prune has been cancelled');
      const query = { filters: filters(filter) };
      const pruned = await client.json('POST', '/containers/prune', PrunedSchema, { query });
      if (json) return say(JSON.stringify(pruned));
      if (pruned.ContainersDeleted?.length) say(`Deleted Containers:\n${pruned.ContainersDeleted.join('\n')}\n`);
      say(`Total reclaimed space: ${humanSize(pruned.SpaceReclaimed)}`);
    });
}
