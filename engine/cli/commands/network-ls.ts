import { NetworksSchema } from '../api-types.ts';
import { SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { shortId } from '../format/ellipsis.ts';
import { goTime } from '../format/go-time.ts';
import { printListing } from '../format/listing.ts';
import { collectFilter, filters } from '../options/filters.ts';
import { say } from '../output.ts';

interface ListOptions {
  filter?: string[];
  format?: string;
  json?: boolean;
  quiet?: boolean;
  trunc: boolean;
}

const HEADERS = {
  ID: 'NETWORK ID',
  Name: 'NAME',
  Driver: 'DRIVER',
  Scope: 'SCOPE',
  IPv4: 'IPV4',
  IPv6: 'IPV6',
  Internal: 'INTERNAL',
  Labels: 'LABELS',
  CreatedAt: 'CREATED AT',
};

export function networkLsCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('network ls')
    .description('List networks')
    .operands('', 0)
    .option('-f, --filter <filter>', "Which networks, e.g. 'driver=bridge' or 'name=back'", collectFilter)
    .option('--format <template>', "'table', 'table TEMPLATE', 'json', or a Go template for each network")
    .option('--json', 'Print one JSON document: what the daemon knows of them')
    .option('--no-trunc', 'Do not truncate the output')
    .option('-q, --quiet', 'Only display network IDs')
    .examples('skiff network ls', 'skiff network ls --filter type=custom')
    .run(async (_operands, { filter, format, json, quiet, trunc }: ListOptions) => {
      const networks = await client.json('GET', '/networks', NetworksSchema, { query: { filters: filters(filter) } });
      networks.sort((a, b) => (a.Name < b.Name ? -1 : 1));
      if (json) return say(JSON.stringify(networks));
      await printListing({
        rows: networks.map((network) => ({
          ID: () => (trunc ? shortId(network.Id) : network.Id),
          Name: () => network.Name,
          Driver: () => network.Driver,
          Scope: () => network.Scope,
          IPv4: () => String(network.EnableIPv4),
          IPv6: () => String(network.EnableIPv6),
          Internal: () => String(network.Internal),
          Labels: () =>
            Object.entries(network.Labels ?? {})
              .map(([name, value]) => `${name}=${value}`)
              .join(','),
          CreatedAt: () => goTime(Date.parse(network.Created) / 1000),
        })),
        headers: HEADERS,
        format,
        table: '{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}',
        raw: 'network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n',
        ...(quiet && { quiet }),
      });
    });
}
