import * as z from 'zod/mini';
import { collect, SkiffCommand } from '../command.ts';
import { containerPath } from '../containers.ts';
import type { Context } from '../context.ts';
import { DEFAULT_DETACH_KEYS } from '../detach-keys.ts';
import { CliError } from '../errors.ts';
import { execExitCode } from '../exec-end.ts';
import { resize, startError } from '../foreground.ts';
import { environment } from '../options/environment.ts';
import { runSession } from '../session.ts';
import { followTerminalSize, terminalSize } from '../terminal.ts';

interface ExecOptions {
  detach?: boolean;
  detachKeys: string;
  env?: string[];
  envFile?: string[];
  interactive?: boolean;
  privileged?: boolean;
  tty?: boolean;
  user?: string;
  workdir?: string;
}

const IdSchema = z.looseObject({ Id: z.string() });

export function execCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('exec')
    .description('Execute a command in a running container')
    .operands('CONTAINER COMMAND [ARG...]', 2, Number.POSITIVE_INFINITY)
    .passThrough()
    .option('-d, --detach', 'Detached mode: run command in the background')
    .option('--detach-keys <keys>', 'Override the key sequence for detaching a container', DEFAULT_DETACH_KEYS)
    .option('-e, --env <variable>', 'Set environment variables', collect)
    .option('--env-file <file>', 'Read in a file of environment variables', collect)
    .option('-i, --interactive', 'Keep STDIN open even if not attached')
    .option('--privileged', 'Give extended privileges to the command')
    .option('-t, --tty', 'Allocate a pseudo-TTY')
    .option('-u, --user <user>', 'Username or UID (format: "<name|uid>[:<group|gid>]")')
    .option('-w, --workdir <dir>', 'Working directory inside the container')
    .examples('skiff exec web ps', 'skiff exec -it web sh', 'skiff exec -e LEVEL=2 -u 1000 web env')
    .run(async ([container = '', ...command], options: ExecOptions) => {
      const stdin = options.interactive === true && !options.detach;
      const tty = options.tty === true;
      if (stdin && tty && !process.stdin.isTTY) throw new CliError('the input device is not a TTY');
      const size = tty ? terminalSize() : undefined;
      const { Id } = await client.json('POST', containerPath(container, '/exec'), IdSchema, {
        body: {
          AttachStdin: stdin,
          AttachStdout: !options.detach,
          AttachStderr: !options.detach,
          Tty: tty,
          Cmd: command,
          DetachKeys: options.detachKeys,
          Env: environment(options.envFile ?? [], options.env ?? [], process.env),
          Privileged: options.privileged === true,
          ...(options.user !== undefined && { User: options.user }),
          ...(options.workdir !== undefined && { WorkingDir: options.workdir }),
          ...(size !== undefined && { ConsoleSize: [size.h, size.w] }),
        },
      });
      if (options.detach) await startDetached(Id, tty);
      else process.exitCode = await startAttached(Id, { stdin, tty, detachKeys: options.detachKeys }, size);
    });

  async function startDetached(id: string, tty: boolean): Promise<void> {
    await client.text('POST', `/exec/${id}/start`, { body: { Detach: true, Tty: tty } });
  }

  async function startAttached(
    id: string,
    session: { stdin: boolean; tty: boolean; detachKeys: string },
    size: { h: number; w: number } | undefined,
  ): Promise<number> {
    const body = { Detach: false, Tty: session.tty, ...(size !== undefined && { ConsoleSize: [size.h, size.w] }) };
    const startedAt = Date.now();
    const connection = await client.hijack(`/exec/${id}/start`, { body }).catch((error) => {
      throw startError(error);
    });
    const stopResize = session.tty ? followTerminalSize((now) => resize(client, `/exec/${id}`, now)) : () => {};
    try {
      const how = await runSession(connection, { ...session, output: true });
      if (how === 'detached') return 0;
    } finally {
      stopResize();
    }
    return execExitCode(client, id, startedAt);
  }
}
