import * as z from 'zod/mini';
import { SkiffCommand } from '../command.ts';
import { containerPath } from '../containers.ts';
import type { Context } from '../context.ts';
import { say, write } from '../output.ts';

const Changes = z.nullable(z.array(z.looseObject({ Path: z.string(), Kind: z.number() })));

/** Docker Engine API, "ContainerChanges". */
const LETTERS = ['C', 'A', 'D'];

export function diffCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('diff')
    .description("Inspect changes to files or directories on a container's filesystem")
    .operands('CONTAINER', 1)
    .option('--json', 'Print one JSON document: what the daemon knows of them')
    .examples('skiff diff web')
    .run(async ([name = ''], { json }: { json?: boolean }) => {
      const changes = (await client.json('GET', containerPath(name, '/changes'), Changes)) ?? [];
      if (json) return say(JSON.stringify(changes));
      for (const { Path, Kind } of changes) await write(`${LETTERS[Kind] ?? '?'} ${Path}\n`);
    });
}
