import { VolumeSchema } from '../api-types.ts';
import { collect, SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { labels } from '../options/environment.ts';
import { say } from '../output.ts';

export function volumeCreateCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('volume create')
    .description('Create a volume')
    .operands('[VOLUME]', 0, 1)
    .option('-d, --driver <driver>', "Specify volume driver name; there is 'local'")
    .option('--label <name=value>', 'Set metadata for a volume', collect)
    .examples('skiff volume create data', 'skiff volume create --label stage=test data')
    .run(async ([name], { driver, label }: { driver?: string; label?: string[] }) => {
      const body = { Name: name ?? '', Driver: driver ?? 'local', Labels: labels([], label ?? []) };
      say((await client.json('POST', '/volumes/create', VolumeSchema, { body })).Name);
    });
}
