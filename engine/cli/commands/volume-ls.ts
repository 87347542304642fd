import { VolumesSchema } from '../api-types.ts';
import { SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { printListing } from '../format/listing.ts';
import { collectFilter, filters } from '../options/filters.ts';
import { say } from '../output.ts';

interface ListOptions {
  filter?: string[];
  format?: string;
  json?: boolean;
  quiet?: boolean;
}

const HEADERS = { Driver: 'DRIVER', Name: 'VOLUME NAME', Mountpoint: 'MOUNTPOINT', Scope: 'SCOPE', Labels: 'LABELS' };

export function volumeLsCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('volume ls')
    .description('List volumes')
    .operands('', 0)
    .option('-f, --filter <filter>', "Which volumes, e.g. 'dangling=true' or 'name=data'", collectFilter)
    .option('--format <template>', "'table', 'table TEMPLATE', 'json', or a Go template for each volume")
    .option('--json', 'Print one JSON document: what the daemon knows of them')
    .option('-q, --quiet', 'Only display volume names')
    .examples('skiff volume ls', 'skiff volume ls -q --filter dangling=true')
    .run(async (_operands, { filter, format, json, quiet }: ListOptions) => {
      const { Volumes } = await client.json('GET', '/volumes', VolumesSchema, { query: { filters: filters(filter) } });
      const volumes = (Volumes ?? []).sort((a, b) => (a.Name < b.Name ? -1 : 1));
      if (json) return say(JSON.stringify(volumes));
      if (quiet && format === undefined) {
        for (const { Name } of volumes) say(Name);
        return;
      }
      await printListing({
        rows: volumes.map((volume) => ({
          Driver: () => volume.Driver,
          Name: () => volume.Name,
          Mountpoint: () => volume.Mountpoint,
          Scope: () => volume.Scope,
          Labels: () =>
            Object.entries(volume.Labels ?? {})
              .map(([name, value]) => `${name}=${value}`)
              .join(','),
        })),
        headers: HEADERS,
        format,
        table: '{{.Driver}}\t{{.Name}}',
        raw: 'name: {{.Name}}\ndriver: {{.Driver}}\n',
      });
    });
}
