import { UpdatedSchema } from '../api-types.ts';
import { SkiffCommand } from '../command.ts';
import { containerPath, forEachName } from '../containers.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import type { CreateBody } from '../options/create-body.ts';
import { UPDATABLE } from '../options/limit-options.ts';
import { say } from '../output.ts';

export function updateCommand({ client }: Context): SkiffCommand {
  const command = new SkiffCommand('update');
  for (const { option } of UPDATABLE) command.addOption(option);
  return command
    .description('Update configuration of one or more containers')
    .operands('CONTAINER [CONTAINER...]', 1, Number.POSITIVE_INFINITY)
    .examples(
      'skiff update --memory 256m --memory-swap 512m web',
      'skiff update --cpus 0.5 --pids-limit 100 $(skiff ps -q)',
    )
    .run(async (names, options: Record<string, unknown>) => {
      const body: CreateBody = { Image: '', HostConfig: {} };
      for (const { option, apply } of UPDATABLE) {
        const value = options[option.attributeName()];
        if (value !== undefined) apply(body, value);
      }
      if (Object.keys(body.HostConfig).length === 0)
        throw new CliError('you must provide one or more flags when using this command');
      const warnings: string[] = [];
      try {
        await forEachName(names, async (name) => {
          const updated = await client.json('POST', containerPath(name, '/update'), UpdatedSchema, {
            body: body.HostConfig,
          });
          warnings.push(...(updated.Warnings ?? []));
          return name;
        });
      } finally {
        for (const warning of warnings) say(warning);
      }
    });
}
