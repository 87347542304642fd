import { SkiffCommand } from '../command.ts';
import { containerPath, forEachName } from '../containers.ts';
import type { Context } from '../context.ts';
import { ApiError } from '../errors.ts';
import { complain } from '../output.ts';

interface RmOptions {
  force?: boolean;
  volumes?: boolean;
  link?: boolean;
}

export function rmCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('rm')
    .description('Remove one or more containers')
    .operands('CONTAINER [CONTAINER...]', 1, Number.POSITIVE_INFINITY)
    .option('-f, --force', 'Force the removal of a running container (uses SIGKILL)')
    .option('-l, --link', 'Remove the specified link')
    .option('-v, --volumes', 'Remove anonymous volumes associated with the container')
    .examples('skiff rm web', 'skiff rm -f $(skiff ps -aq)')
    .run(async (names, { force, volumes, link }: RmOptions) => {
      await forEachName(names, async (name) => {
        try {
          await client.text('DELETE', containerPath(name.replace(/^\/+/, '')), { query: { force, v: volumes, link } });
        } catch (error) {
          // What is gone already is what --force asks for: said, but no failure.
          if (!(force && error instanceof ApiError && error.status === 404)) throw error;
          complain(error.message);
          return undefined;
        }
        return name;
      });
    });
}
