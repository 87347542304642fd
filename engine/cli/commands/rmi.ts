import { DeletedSchema } from '../api-types.ts';
import { SkiffCommand } from '../command.ts';
import { forEachName } from '../containers.ts';
import type { Context } from '../context.ts';

interface RmiOptions {
  force?: boolean;
  prune: boolean;
}

export function rmiCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('rmi')
    .description('Remove one or more images')
    .operands('IMAGE [IMAGE...]', 1, Number.POSITIVE_INFINITY)
    .option('-f, --force', 'Force removal of the image')
    .option('--no-prune', 'Do not delete untagged parents')
    .examples('skiff rmi hostbox:old')
    .run(async (names, { force, prune }: RmiOptions) => {
      await forEachName(names, async (name) => {
        const query = { force, ...(!prune && { noprune: true }) };
        const deleted = await client.json('DELETE', `/images/${encodeURIComponent(name)}`, DeletedSchema, { query });
        return deleted
          .map((each) => (each.Deleted === undefined ? `Untagged: ${each.Untagged}` : `Deleted: ${each.Deleted}`))
          .join('\n');
      });
    });
}
