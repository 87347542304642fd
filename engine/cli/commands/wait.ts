import { WaitSchema } from '../api-types.ts';
import { SkiffCommand } from '../command.ts';
import { containerPath, forEachName } from '../containers.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';

export function waitCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('wait')
    .description('Block until one or more containers stop, then print their exit codes')
    .operands('CONTAINER [CONTAINER...]', 1, Number.POSITIVE_INFINITY)
    .examples('skiff wait job', 'exit "$(skiff wait job)"')
    .run(async (names) => {
      await forEachName(names, async (name) => {
        const answer = await client.json('POST', containerPath(name, '/wait'), WaitSchema);
        if (answer.Error) throw new CliError(answer.Error.Message);
        return String(answer.StatusCode);
      });
    });
}
