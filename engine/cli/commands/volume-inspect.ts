import { ObjectSchema } from '../api-types.ts';
import { SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { say } from '../output.ts';

export function volumeInspectCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('volume inspect')
    .description('Display detailed information on one or more volumes')
    .operands('VOLUME [VOLUME...]', 1, Number.POSITIVE_INFINITY)
    .examples('skiff volume inspect data')
    .run(async (names) => {
      const all = await Promise.all(
        names.map((name) => client.json('GET', `/volumes/${encodeURIComponent(name)}`, ObjectSchema)),
      );
      say(JSON.stringify(all, null, 4));
    });
}
