import { SkiffCommand } from '../command.ts';
import { containerPath, post } from '../containers.ts';
import type { Context } from '../context.ts';
import { CliError, errorText } from '../errors.ts';

export function renameCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('rename')
    .description('Rename a container')
    .operands('CONTAINER NEW_NAME', 2)
    .examples('skiff rename web old-web')
    .run(async ([container = '', name = '']) => {
      try {
        await post(client, containerPath(container, '/rename'), { name });
      } catch (error) {
        throw new CliError(`${errorText(error)}\nError: failed to rename container named ${container}`);
      }
    });
}
