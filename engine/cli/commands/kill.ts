import { SkiffCommand } from '../command.ts';
import { containerPath, forEachName, post } from '../containers.ts';
import type { Context } from '../context.ts';

export function killCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('kill')
    .description('Kill one or more running containers')
    .operands('CONTAINER [CONTAINER...]', 1, Number.POSITIVE_INFINITY)
    .option('-s, --signal <signal>', 'Signal to send to the container', 'KILL')
    .examples('skiff kill web', 'skiff kill --signal HUP web')
    .run(async (names, { signal }: { signal: string }) => {
      await forEachName(names, async (name) => {
        await post(client, containerPath(name, '/kill'), { signal });
        return name;
      });
    });
}
