import { Option } from 'commander';
import { parsed, SkiffCommand, wholeNumber } from '../command.ts';
import { containerPath, forEachName, post } from '../containers.ts';
import type { Context } from '../context.ts';

interface StopOptions {
  signal?: string;
  timeout?: number;
  time?: number;
}

export function stopCommand({ client }: Context): SkiffCommand {
  return stopOptions(new SkiffCommand('stop'))
    .description('Stop one or more running containers')
    .operands('CONTAINER [CONTAINER...]', 1, Number.POSITIVE_INFINITY)
    .examples('skiff stop web', 'skiff stop -t 2 $(skiff ps -q)')
    .run(async (names, options: StopOptions) => {
      await forEachName(names, async (name) => {
        await post(client, containerPath(name, '/stop'), stopQuery(options));
        return name;
      });
    });
}

/** The options that `stop` and `restart` share. */
export function stopOptions(command: SkiffCommand): SkiffCommand {
  const seconds = parsed('-t, --timeout', 'a whole number of seconds', wholeNumber);
  return command
    .option('-s, --signal <signal>', 'Signal to send to the container')
    .option('-t, --timeout <seconds>', 'Seconds to wait before killing the container', seconds)
    .addOption(new Option('--time <seconds>').argParser(seconds).hideHelp());
}

export function stopQuery({ signal, timeout, time }: StopOptions): { signal?: string; t?: number } {
  const t = timeout ?? time;
  return { ...(signal !== undefined && { signal }), ...(t !== undefined && { t }) };
}
