import { ImagesPrunedSchema } from '../api-types.ts';
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

export function imagePruneCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('image prune')
    .description('Remove unused images')
    .operands('', 0)
    .option('-a, --all', 'Remove all unused images, not just dangling ones')
    .option('--filter <filter>', "Which images, e.g. 'until=24h' or 'label=stage'", collectFilter)
    .option('-f, --force', 'Do not prompt for confirmation')
    .option('--json', 'Print one JSON document')
    .examples('skiff image prune -f', 'skiff image prune -a --filter until=24h')
    .run(async (_operands, { all, force, filter, json }: PruneOptions) => {
      const what = all ? 'all images without at least one container associated to them' : 'all dangling images';
      if (!force && !(await confirmed(`This will remove ${what}.`)))
        throw new CliError('image prune has been cancelled');
      const query = { filters: filters([...(filter ?? []), `dangling=${all !== true}`]) };
      const pruned = await client.json('POST', '/images/prune', ImagesPrunedSchema, { query });
      if (json) return say(JSON.stringify(pruned));
      const lines = (pruned.ImagesDeleted ?? []).map(({ Untagged, Deleted }) =>
        Untagged === undefined ? `deleted: ${Deleted}` : `untagged: ${Untagged}`,
      );
      if (lines.length > 0) say(`Deleted Images:\n${lines.join('\n')}\n`);
      say(`Total reclaimed space: ${humanSize(pruned.SpaceReclaimed)}`);
    });
}
