import { VolumesPrunedSchema } from '../api-types.ts';
import { SkiffCommand } from '../command.ts';
import { confirmed } from '../confirm.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { humanSize } from '../format/size.ts';
import { collectFilter, filters } from '../options/filters.ts';
import { say } from '../output.ts';

interface PruneOptions {
  all?: boolean;
  force?: boolean;
  filter?: string[];
  json?: boolean;
}

export function volumePruneCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('volume prune')
    .description('Remove unused local volumes')
    .operands('', 0)
    .option('-a, --all', 'Remove all unused volumes, not just anonymous ones')
    .option('--filter <filter>', "Which volumes, e.g. 'label=stage'", collectFilter)
    .option('-f, --force', 'Do not prompt for confirmation')
    .option('--json', 'Print one JSON document')
    .examples('skiff volume prune -f', 'skiff volume prune -a --filter label=stage')
    .run(async (_operands, { all, force, filter, json }: PruneOptions) => {
      const what = all ? 'all local volumes' : 'anonymous local volumes';
      if (!force && !(await confirmed(`This will remove ${what} not used by at least one container.`)))
        throw new CliError('volume prune has been cancelled');
      const asked = [...(filter ?? []), ...(all ? ['all=true'] : [])];
      const query = { filters: filters(asked.length > 0 ? asked : undefined) };
      const pruned = await client.json('POST', '/volumes/prune', VolumesPrunedSchema, { query });
      if (json) return say(JSON.stringify(pruned));
      if (pruned.VolumesDeleted?.length) say(`Deleted Volumes:\n${pruned.VolumesDeleted.join('\n')}\n`);
      say(`Total reclaimed space: ${humanSize(pruned.SpaceReclaimed)}`);
    });
}
