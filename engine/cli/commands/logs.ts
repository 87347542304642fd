import { ContainerSchema } from '../api-types.ts';
import { SkiffCommand } from '../command.ts';
import { containerPath } from '../containers.ts';
import type { Context } from '../context.ts';
import { copy, demultiplex } from '../demux.ts';
import { timestamp } from '../options/timestamp.ts';

interface LogsOptions {
  follow?: boolean;
  tail: string;
  timestamps?: boolean;
  since?: string;
  until?: string;
  details?: boolean;
}

export function logsCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('logs')
    .description('Fetch the logs of a container')
    .operands('CONTAINER', 1)
    .option('--details', 'Show extra details provided to logs')
    .option('-f, --follow', 'Follow log output')
    .option('--since <time>', 'Show logs since timestamp (2026-01-02T13:23:37Z) or relative (42m for 42 minutes)')
    .option('-n, --tail <lines>', 'Number of lines to show from the end of the logs', 'all')
    .option('-t, --timestamps', 'Show timestamps')
    .option('--until <time>', 'Show logs before a timestamp or relative')
    .examples('skiff logs web', 'skiff logs -f --tail 10 web', 'skiff logs -t --since 5m web')
    .run(async ([container = ''], options: LogsOptions) => {
      const { Id, Config } = await client.json('GET', containerPath(container, '/json'), ContainerSchema);
      const stream = await client.stream('GET', containerPath(Id, '/logs'), {
        query: {
          stdout: true,
          stderr: true,
          follow: options.follow,
          timestamps: options.timestamps,
          details: options.details,
          tail: options.tail,
          since: timestamp(options.since),
          until: timestamp(options.until),
        },
      });
      await (Config.Tty ? copy(stream, process.stdout) : demultiplex(stream, process.stdout, process.stderr));
    });
}
