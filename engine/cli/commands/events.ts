import { type EventDocument, EventSchema } from '../api-types.ts';
import { SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError, errorText } from '../errors.ts';
import { rfc3339Nano } from '../format/go-time.ts';
import { documents } from '../ndjson.ts';
import { collectFilter, filters } from '../options/filters.ts';
import { timestamp } from '../options/timestamp.ts';
import { write } from '../output.ts';
import { compile } from '../template/template.ts';

interface EventsOptions {
  filter?: string[];
  format?: string;
  since?: string;
  until?: string;
  json?: boolean;
}

export function eventsCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('events')
    .description('Get real time events from the daemon')
    .operands('', 0)
    .option('-f, --filter <filter>', "Which events, e.g. 'container=web' or 'event=die'", collectFilter)
    .option('--format <template>', "'json', or a Go template for each event")
    .option('--json', 'Print each event as one line of JSON')
    .option('--since <time>', 'Show all events created since timestamp')
    .option('--until <time>', 'Stream events until this timestamp')
    .examples('skiff events', "skiff events --since 10m --until 0s --format '{{.Action}} {{.Actor.Attributes.name}}'")
    .run(async (_operands, options: EventsOptions) => {
      const print = printer(options);
      const stream = await client.stream('GET', '/events', {
        query: {
          filters: filters(options.filter),
          since: timestamp(options.since),
          until: timestamp(options.until),
        },
      });
      for await (const { document, text } of documents(stream)) await write(`${print(document, text)}\n`);
    });
}

function printer({ format, json }: EventsOptions): (document: unknown, text: string) => string {
  if (json || format === 'json' || format === '{{json .}}') return (_document, text) => text;
  if (format === undefined || format === '') return (document) => line(EventSchema.parse(document));
  try {
    const template = compile(format);
    return (document) => template.execute(document);
  } catch (error) {
    throw new CliError(`Error parsing format: ${errorText(error)}`, 64);
  }
}

function line(event: EventDocument): string {
  const nano = event.timeNano ? BigInt(event.timeNano) : BigInt(event.time) * 1_000_000_000n;
  const attributes = Object.entries(event.Actor.Attributes ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`);
  const suffix = attributes.length > 0 ? ` (${attributes.join(', ')})` : '';
  return `${rfc3339Nano(nano)} ${event.Type} ${event.Action} ${event.Actor.ID}${suffix}`;
}
