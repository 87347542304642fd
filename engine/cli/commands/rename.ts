import { SkiffCommand } from '../command.ts';
import { containerPath, post } from '../containers.ts';
import type { Context } from '../context.ts';

export function renameCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('rename')
    .description('Rename a container')
    .operands('CONTAINER NEW_NAME', 2)
    .examples('skiff rename web old-web')
    .run(async ([container = '', name = '']) => post(client, containerPath(container, '/rename'), { name }));
}
