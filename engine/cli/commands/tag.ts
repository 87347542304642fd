import { SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { splitReference } from '../reference.ts';

export function tagCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('tag')
    .description('Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE')
    .operands('SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]', 2)
    .examples('skiff tag hostbox team/hostbox:1.0')
    .run(async ([source = '', target = '']) => {
      await client.text('POST', `/images/${encodeURIComponent(source)}/tag`, { query: splitReference(target) });
    });
}
