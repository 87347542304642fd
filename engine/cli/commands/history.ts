import { HistorySchema } from '../api-types.ts';
import { SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { ago } from '../format/duration.ts';
import { ellipsis, shortId } from '../format/ellipsis.ts';
import { printListing } from '../format/listing.ts';
import { humanSize } from '../format/size.ts';
import { say } from '../output.ts';

interface HistoryOptions {
  format?: string;
  human: boolean;
  json?: boolean;
  trunc: boolean;
  quiet?: boolean;
}

const HEADERS = {
  ID: 'IMAGE',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  CreatedBy: 'CREATED BY',
  Size: 'SIZE',
  Comment: 'COMMENT',
};
const WITH_TIME = '{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}';
const PLAIN = '{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}';
const LONGEST = 45;

export function historyCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('history')
    .description('Show the history of an image')
    .operands('IMAGE', 1)
    .option('--format <template>', "'table', 'table TEMPLATE', 'json', or a Go template for each step")
    .option('-H, --human', 'Print sizes and dates in human readable format', true)
    .option('--json', 'Print one JSON document: what the daemon knows of it')
    .option('--no-trunc', "Don't truncate output")
    .option('-q, --quiet', 'Only show image IDs')
    .examples('skiff history hostbox', "skiff history --no-trunc --format '{{.CreatedBy}}' hostbox")
    .run(async ([name = ''], { format, human, json, trunc, quiet }: HistoryOptions) => {
      const steps = await client.json('GET', `/images/${encodeURIComponent(name)}/history`, HistorySchema);
      if (json) return say(JSON.stringify(steps));
      await printListing({
        rows: steps.map((step) => ({
          ID: () => (trunc ? shortId(step.Id) : step.Id),
          CreatedAt: () => new Date(step.Created * 1000).toISOString().replace(/\.\d+/, ''),
          CreatedSince: () =>
            human ? ago(step.Created) : new Date(step.Created * 1000).toISOString().replace(/\.\d+/, ''),
          CreatedBy: () => {
            const text = step.CreatedBy.replaceAll('\t', ' ');
            return trunc ? ellipsis(text, LONGEST) : text;
          },
          Size: () => (human ? humanSize(step.Size, 3) : String(step.Size)),
          Comment: () => step.Comment,
        })),
        headers: HEADERS,
        format,
        table: human ? WITH_TIME : PLAIN,
        raw: WITH_TIME.replaceAll('\t', '\n'),
        quiet: quiet === true,
      });
    });
}
