import { refuseTerminal, writeArchive } from '../archive-output.ts';
import { SkiffCommand } from '../command.ts';
import { containerPath } from '../containers.ts';
import type { Context } from '../context.ts';

export function exportCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('export')
    .description("Export a container's filesystem as a tar archive")
    .operands('CONTAINER', 1)
    .option('-o, --output <file>', 'Write to a file, instead of STDOUT')
    .examples('skiff export web > web.tar', 'skiff export -o web.tar web')
    .run(async ([name = ''], { output }: { output?: string }) => {
      refuseTerminal(output);
      await writeArchive(await client.stream('GET', containerPath(name, '/export')), output);
    });
}
