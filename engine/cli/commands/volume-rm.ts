import { SkiffCommand } from '../command.ts';
import { forEachName } from '../containers.ts';
import type { Context } from '../context.ts';

export function volumeRmCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('volume rm')
    .description('Remove one or more volumes')
    .operands('VOLUME [VOLUME...]', 1, Number.POSITIVE_INFINITY)
    .option('-f, --force', 'One that is not there is no error')
    .examples('skiff volume rm data')
    .run(async (names, { force }: { force?: boolean }) => {
      await forEachName(names, async (name) => {
        await client.text('DELETE', `/volumes/${encodeURIComponent(name)}`, { query: { force } });
        return name;
      });
    });
}
