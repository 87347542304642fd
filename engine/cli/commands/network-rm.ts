import { SkiffCommand } from '../command.ts';
import { forEachName } from '../containers.ts';
import type { Context } from '../context.ts';
import { ApiError } from '../errors.ts';

export function networkRmCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('network rm')
    .description('Remove one or more networks')
    .operands('NETWORK [NETWORK...]', 1, Number.POSITIVE_INFINITY)
    .option('-f, --force', 'One that is not there is no error')
    .examples('skiff network rm back')
    .run(async (names, { force }: { force?: boolean }) => {
      await forEachName(names, async (name) => {
        try {
          await client.text('DELETE', `/networks/${encodeURIComponent(name)}`);
        } catch (error) {
          if (!(force && error instanceof ApiError && error.status === 404)) throw error;
        }
        return name;
      });
    });
}
