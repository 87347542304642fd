import { SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { inspectEach } from '../inspect-each.ts';

export function networkInspectCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('network inspect')
    .description('Display detailed information on one or more networks')
    .operands('NETWORK [NETWORK...]', 1, Number.POSITIVE_INFINITY)
    .option('-f, --format <template>', "'json', or a Go template for each network")
    .examples('skiff network inspect back', "skiff network inspect -f '{{json .Containers}}' back")
    .run(async (names, options: { format?: string }) => {
      await inspectEach(names, options, (name) => client.text('GET', `/networks/${encodeURIComponent(name)}`));
    });
}
