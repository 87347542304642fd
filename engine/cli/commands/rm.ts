import { SkiffCommand } from '../command.ts';
import { containerPath, forEachName } from '../containers.ts';
import type { Context } from '../context.ts';
import { ApiError } from '../errors.ts';

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
        const path = containerPath(name.replace(/^\/+/, ''));
        try {
          await client.text('DELETE', path, { query: { force, v: volumes, link } });
        } catch (error) {
          // What is gone already is what --force asks for.
          if (!(force && error instanceof ApiError && error.status === 404)) throw error;
          throw new ApiError(404, error.reason);
        }
        return name;
      });
    });
}
