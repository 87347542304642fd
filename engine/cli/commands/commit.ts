import * as z from 'zod/mini';
import { collect, SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { say } from '../output.ts';
import { splitReference } from '../reference.ts';

interface CommitOptions {
  author?: string;
  change?: string[];
  message?: string;
  pause: boolean;
}

const Committed = z.looseObject({ Id: z.string() });

export function commitCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('commit')
    .description("Create a new image from a container's changes")
    .operands('CONTAINER [REPOSITORY[:TAG]]', 1, 2)
    .option('-a, --author <author>', 'Author, e.g. "Ada <ada@example.org>"')
    .option('-c, --change <instruction>', 'Apply a Dockerfile instruction to the image', collect)
    .option('-m, --message <message>', 'Commit message')
    .option('-p, --pause', 'Pause container during commit', true)
    .option('--no-pause', 'Let the container run on meanwhile')
    .examples('skiff commit web web:fixed', "skiff commit -c 'CMD [\"sh\"]' -m 'with a shell' web web:fixed")
    .run(async ([container = '', reference], { author, change, message, pause }: CommitOptions) => {
      const query = {
        container,
        ...(reference !== undefined && splitReference(reference)),
        author,
        comment: message,
        changes: change,
        pause,
      };
      say((await client.json('POST', '/commit', Committed, { query, body: {} })).Id);
    });
}
