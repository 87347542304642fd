import { refuseTerminal, writeArchive } from '../archive-output.ts';
import { SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';

export function saveCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('save')
    .description('Save one or more images to a tar archive (streamed to STDOUT by default)')
    .operands('IMAGE [IMAGE...]', 1, Number.POSITIVE_INFINITY)
    .option('-o, --output <file>', 'Write to a file, instead of STDOUT')
    .examples('skiff save hostbox > hostbox.tar', 'skiff save -o both.tar hostbox web:fixed')
    .run(async (names, { output }: { output?: string }) => {
      refuseTerminal(output);
      await writeArchive(await client.stream('GET', '/images/get', { query: { names } }), output);
    });
}
