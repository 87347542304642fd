import { SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { say } from '../output.ts';

export function pingCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('ping')
    .description('Ask the daemon whether it is there, starting it if need be')
    .operands('', 0)
    .examples('skiff ping')
    .run(async () => say(await client.text('GET', '/_ping')));
}
