import { ProgressSchema } from '../api-types.ts';
import { archiveInput } from '../archive-input.ts';
import { SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { documents } from '../ndjson.ts';
import { write } from '../output.ts';

export function loadCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('load')
    .description('Load an image from a tar archive or STDIN')
    .operands('', 0)
    .option('-i, --input <file>', 'Read from tar archive file, instead of STDIN')
    .option('-q, --quiet', 'Suppress the load output')
    .examples('skiff load -i hostbox.tar', 'skiff load < hostbox.tar.gz')
    .run(async (_operands, { input, quiet }: { input?: string; quiet?: boolean }) => {
      const answer = await client.stream('POST', '/images/load', {
        query: { quiet: quiet === true },
        content: archiveInput(input, 'requested load from stdin, but stdin is empty'),
      });
      for await (const { document } of documents(answer)) {
        const { error, stream } = ProgressSchema.parse(document);
        if (error !== undefined) throw new CliError(error);
        if (stream !== undefined) await write(stream);
      }
    });
}
