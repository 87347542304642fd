import { type DiskUsage, DiskUsageSchema } from '../api-types.ts';
import { SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { printListing } from '../format/listing.ts';
import { humanSize } from '../format/size.ts';
import { say } from '../output.ts';

const HEADERS = { Type: 'TYPE', TotalCount: 'TOTAL', Active: 'ACTIVE', Size: 'SIZE', Reclaimable: 'RECLAIMABLE' };
const TABLE = '{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}';

interface Row {
  type: string;
  total: number;
  active: number;
  /** Bytes. */
  size: number;
  reclaimable: number;
}

export function systemDfCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('system df')
    .description('Show disk usage of images, containers, volumes and the build cache')
    .operands('', 0)
    .option('--format <template>', "'table', 'table TEMPLATE', 'json', or a Go template for each kind")
    .option('--json', 'Print one JSON document: what the daemon knows')
    .examples('skiff system df')
    .run(async (_operands, { format, json }: { format?: string; json?: boolean }) => {
      const usage = await client.json('GET', '/system/df', DiskUsageSchema);
      if (json) return say(JSON.stringify(usage));
      await printListing({
        rows: rowsOf(usage).map(({ type, total, active, size, reclaimable }) => ({
          Type: () => type,
          TotalCount: () => String(total),
          Active: () => String(active),
          Size: () => humanSize(size, 4),
          Reclaimable: () => {
            const percent = size > 0 ? ` (${Math.trunc((reclaimable / size) * 100)}%)` : '';
            return `${humanSize(reclaimable, 4)}${type === 'Build Cache' ? '' : percent}`;
          },
        })),
        headers: HEADERS,
        format,
        table: TABLE,
        raw: 'type: {{.Type}}\ntotal: {{.TotalCount}}\nactive: {{.Active}}\nsize: {{.Size}}\nreclaimable: {{.Reclaimable}}\n',
      });
    });
}

const sum = (numbers: number[]) => numbers.reduce((total, each) => total + each, 0);

/** As docker counts: what is not in use can be reclaimed. */
function rowsOf({ LayersSize, Images, Containers, Volumes, BuildCache }: DiskUsage): Row[] {
  const images = Images ?? [];
  const used = images.filter((image) => image.Containers > 0);
  const containers = Containers ?? [];
  const still = containers.filter(({ State }) => !['running', 'paused', 'restarting'].includes(State));
  const volumes = Volumes ?? [];
  const unused = volumes.filter(({ UsageData }) => (UsageData?.RefCount ?? 0) === 0);
  const sizeOf = (some: typeof volumes) => sum(some.map(({ UsageData }) => Math.max(UsageData?.Size ?? 0, 0)));
  const cache = BuildCache ?? [];
  return [
    {
      type: 'Images',
      total: images.length,
      active: used.length,
      size: LayersSize,
      reclaimable: LayersSize - sum(used.map((image) => image.Size - Math.max(image.SharedSize, 0))),
    },
    {
      type: 'Containers',
      total: containers.length,
      active: containers.length - still.length,
      size: sum(containers.map(({ SizeRw = 0 }) => SizeRw)),
      reclaimable: sum(still.map(({ SizeRw = 0 }) => SizeRw)),
    },
    {
      type: 'Local Volumes',
      total: volumes.length,
      active: volumes.length - unused.length,
      size: sizeOf(volumes),
      reclaimable: sizeOf(unused),
    },
    {
      type: 'Build Cache',
      total: cache.length,
      active: cache.filter(({ InUse }) => InUse).length,
      size: sum(cache.map(({ Size }) => Size)),
      reclaimable: sum(cache.filter(({ InUse }) => !InUse).map(({ Size }) => Size)),
    },
  ];
}
