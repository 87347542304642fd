import { SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { createContainer } from '../create-container.ts';
import { addContainerOptions, type ContainerOptions, createBody } from '../options/container-options.ts';
import { say } from '../output.ts';

export function createCommand({ client }: Context): SkiffCommand {
  return addContainerOptions(new SkiffCommand('create'))
    .description('Create a new container')
    .operands('IMAGE [COMMAND] [ARG...]', 1, Number.POSITIVE_INFINITY)
    .passThrough()
    .examples('skiff create --name job hostbox sh -c "date"', 'skiff start -a job')
    .run(async (operands, options: ContainerOptions) => {
      say(await createContainer(client, createBody(operands, options), options));
    });
}
