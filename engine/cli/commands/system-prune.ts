import * as z from 'zod/mini';
import { ImagesPrunedSchema, NetworksPrunedSchema, PrunedSchema, VolumesPrunedSchema } from '../api-types.ts';
import { SkiffCommand } from '../command.ts';
import { confirmed } from '../confirm.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { humanSize } from '../format/size.ts';
import { collectFilter, filters } from '../options/filters.ts';
import { say } from '../output.ts';

interface PruneOptions {
  all?: boolean;
  filter?: string[];
  force?: boolean;
  volumes?: boolean;
}

const CachePruned = z.looseObject({ CachesDeleted: z.nullish(z.array(z.string())), SpaceReclaimed: z.number() });

export function systemPruneCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('system prune')
    .description('Remove unused data')
    .operands('', 0)
    .option('-a, --all', 'Remove all unused images, not just dangling ones')
    .option('--filter <filter>', "Which, e.g. 'until=24h' or 'label=stage'", collectFilter)
    .option('-f, --force', 'Do not prompt for confirmation')
    .option('--volumes', 'Prune anonymous volumes, too')
    .examples('skiff system prune -f', 'skiff system prune -af --volumes')
    .run(async (_operands, { all, filter, force, volumes }: PruneOptions) => {
      if (!force && !(await confirmed(warning(all === true, volumes === true))))
        throw new CliError('system prune has been cancelled');
      let reclaimed = 0;
      const tell = (title: string, lines: string[], size: number) => {
        reclaimed += size;
        if (lines.length > 0) say(`Deleted ${title}:\n${lines.join('\n')}\n`);
      };
      const prune = <T>(path: string, schema: { parse(value: unknown): T }, asked = filter ?? []) =>
        client.json('POST', path, schema, { query: { filters: filters(asked.length > 0 ? asked : undefined) } });
      const containers = await prune('/containers/prune', PrunedSchema);
      tell('Containers', containers.ContainersDeleted ?? [], containers.SpaceReclaimed);
      const { NetworksDeleted } = await prune('/networks/prune', NetworksPrunedSchema);
      tell('Networks', NetworksDeleted ?? [], 0);
      if (volumes) {
        const pruned = await prune('/volumes/prune', VolumesPrunedSchema);
        tell('Volumes', pruned.VolumesDeleted ?? [], pruned.SpaceReclaimed);
      }
      const images = await prune('/images/prune', ImagesPrunedSchema, [...(filter ?? []), `dangling=${all !== true}`]);
      const lines = (images.ImagesDeleted ?? []).map(({ Untagged, Deleted }) =>
        Untagged === undefined ? `deleted: ${Deleted}` : `untagged: ${Untagged}`,
      );
      tell('Images', lines, images.SpaceReclaimed);
      const cache = await client.json('POST', '/build/prune', CachePruned);
      tell('build cache objects', cache.CachesDeleted ?? [], cache.SpaceReclaimed);
      say(`Total reclaimed space: ${humanSize(reclaimed)}`);
    });
}

function warning(all: boolean, volumes: boolean): string {
  const what = [
    'all stopped containers',
    'all networks not used by at least one container',
    ...(volumes ? ['all anonymous volumes not used by at least one container'] : []),
    all ? 'all images without at least one container associated to them' : 'all dangling images',
    'all build cache',
  ];
  return `This will remove:\n${what.map((each) => `  - ${each}`).join('\n')}\n`;
}
