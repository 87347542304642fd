import { SkiffCommand } from '../command.ts';
import { containerPath, forEachName, post } from '../containers.ts';
import type { Context } from '../context.ts';

export function pauseCommand(context: Context): SkiffCommand {
  return command(context, 'pause')
    .description('Pause all processes within one or more containers')
    .examples('skiff pause web', 'skiff pause $(skiff ps -q)');
}

export function unpauseCommand(context: Context): SkiffCommand {
  return command(context, 'unpause')
    .description('Unpause all processes within one or more containers')
    .examples('skiff unpause web', 'skiff unpause $(skiff ps -q --filter status=paused)');
}

function command({ client }: Context, verb: 'pause' | 'unpause'): SkiffCommand {
  return new SkiffCommand(verb).operands('CONTAINER [CONTAINER...]', 1, Number.POSITIVE_INFINITY).run(async (names) => {
    await forEachName(names, async (name) => {
      await post(client, containerPath(name, `/${verb}`));
      return name;
    });
  });
}
