import { ProgressSchema } from '../api-types.ts';
import { archiveInput } from '../archive-input.ts';
import { collect, SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { documents } from '../ndjson.ts';
import { say } from '../output.ts';
import { splitReference } from '../reference.ts';

interface ImportOptions {
  change?: string[];
  message?: string;
  platform?: string;
}

export function importCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('import')
    .description('Import the contents from a tarball to create a filesystem image')
    .operands('FILE | - [REPOSITORY[:TAG]]', 1, 2)
    .option('-c, --change <instruction>', 'Apply a Dockerfile instruction to the image', collect)
    .option('-m, --message <message>', 'Commit message of the image')
    .option('--platform <os/arch>', 'What the files are for')
    .examples('skiff import web.tar web:flat', 'skiff export web | skiff import -c \'CMD ["sh"]\' - web:flat')
    .run(async ([file = '', reference], { change, message, platform }: ImportOptions) => {
      const answer = await client.stream('POST', '/images/create', {
        query: {
          fromSrc: '-',
          ...(reference !== undefined && splitReference(reference)),
          changes: change,
          message,
          platform,
        },
        content: archiveInput(file === '-' ? undefined : file, 'requested import from stdin, but stdin is a terminal'),
      });
      for await (const { document } of documents(answer)) {
        const { error, status } = ProgressSchema.parse(document);
        if (error !== undefined) throw new CliError(error);
        if (status !== undefined) say(status);
      }
    });
}
