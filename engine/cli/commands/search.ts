import * as z from 'zod/mini';
import { SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { ellipsis } from '../format/ellipsis.ts';
import { printListing } from '../format/listing.ts';
import { collectFilter, filters } from '../options/filters.ts';
import { keyOfTerm } from '../registry/addresses.ts';
import { authHeader } from '../registry/credentials.ts';

interface SearchOptions {
  filter?: string[];
  format?: string;
  limit?: string;
  trunc: boolean;
}

const FoundSchema = z.array(
  z.looseObject({
    name: z.string(),
    description: z._default(z.string(), ''),
    star_count: z._default(z.number(), 0),
    is_official: z._default(z.boolean(), false),
    is_automated: z._default(z.boolean(), false),
  }),
);

const DESCRIPTION_SHOWN = 45;
const HEADERS = {
  Name: 'NAME',
  Description: 'DESCRIPTION',
  StarCount: 'STARS',
  IsOfficial: 'OFFICIAL',
  IsAutomated: 'AUTOMATED',
};

export function searchCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('search')
    .description('Search Docker Hub for images')
    .operands('TERM', 1)
    .option('-f, --filter <filter>', "Which images, e.g. 'is-official=true' or 'stars=10'", collectFilter)
    .option('--format <template>', "'table', 'table TEMPLATE', 'json', or a Go template for each image")
    .option('--limit <number>', 'Max number of search results')
    .option('--no-trunc', "Don't truncate output")
    .examples('skiff search debian', 'skiff search --filter stars=100 --limit 5 web')
    .run(async ([term = ''], { filter, format, limit, trunc }: SearchOptions) => {
      const found = await client.json('GET', '/images/search', FoundSchema, {
        query: { term, limit, filters: filters(filter) },
        headers: await authHeader(keyOfTerm(term)),
      });
      await printListing({
        rows: found.map((each) => ({
          Name: () => each.name,
          Description: () => {
            const line = each.description.replace(/[\r\n]/g, ' ');
            return trunc ? ellipsis(line, DESCRIPTION_SHOWN) : line;
          },
          StarCount: () => String(each.star_count),
          IsOfficial: () => (each.is_official ? '[OK]' : ''),
          IsAutomated: () => (each.is_automated ? '[OK]' : ''),
        })),
        headers: HEADERS,
        format,
        table: '{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}',
        raw: 'name: {{.Name}}\ndescription: {{.Description}}\nstars: {{.StarCount}}\n',
      });
    });
}
