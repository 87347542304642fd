import { SkiffCommand } from '../command.ts';
import { containerPath, forEachName, post } from '../containers.ts';
import type { Context } from '../context.ts';
import { stopOptions, stopQuery } from './stop.ts';

export function restartCommand({ client }: Context): SkiffCommand {
  return stopOptions(new SkiffCommand('restart'))
    .description('Restart one or more containers')
    .operands('CONTAINER [CONTAINER...]', 1, Number.POSITIVE_INFINITY)
    .examples('skiff restart web')
    .run(async (names, options: Parameters<typeof stopQuery>[0]) => {
      await forEachName(names, async (name) => {
        await post(client, containerPath(name, '/restart'), stopQuery(options));
        return name;
      });
    });
}
