import { TopSchema } from '../api-types.ts';
import { SkiffCommand } from '../command.ts';
import { containerPath } from '../containers.ts';
import type { Context } from '../context.ts';
import { layOut } from '../format/table.ts';
import { say, write } from '../output.ts';

export function topCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('top')
    .description('Display the running processes of a container')
    .operands('CONTAINER [ps OPTIONS]', 1, Number.POSITIVE_INFINITY)
    .option('--json', 'Print one JSON document')
    .passThrough()
    .examples('skiff top web', 'skiff top web -o pid,cmd')
    .run(async ([container = '', ...args], { json }: { json?: boolean }) => {
      const query = args.length > 0 ? { ps_args: args.join(' ') } : {};
      const top = await client.json('GET', containerPath(container, '/top'), TopSchema, { query });
      if (json) return say(JSON.stringify(top));
      const lines = [top.Titles ?? [], ...(top.Processes ?? [])].map((cells) => cells.join('\t'));
      await write(await layOut(lines, { narrowest: 20 }));
    });
}
