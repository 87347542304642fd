import { SkiffCommand } from '../command.ts';
import { containerPath } from '../containers.ts';
import type { Context } from '../context.ts';
import { createContainer } from '../create-container.ts';
import { DEFAULT_DETACH_KEYS, parseDetachKeys } from '../detach-keys.ts';
import { ApiError, CliError, ConnectionError, UsageError } from '../errors.ts';
import { startError, startInForeground } from '../foreground.ts';
import { addContainerOptions, type ContainerOptions, createBody } from '../options/container-options.ts';
import { say } from '../output.ts';
import { terminalSize } from '../terminal.ts';

interface RunOptions extends ContainerOptions {
  detach?: boolean;
  detachKeys: string;
  sigProxy: boolean;
}

export function runCommand({ client }: Context): SkiffCommand {
  return addContainerOptions(new SkiffCommand('run'))
    .description('Create and run a new container from an image')
    .operands('IMAGE [COMMAND] [ARG...]', 1, Number.POSITIVE_INFINITY)
    .passThrough()
    .option('-d, --detach', 'Run container in background and print container ID')
    .option('--detach-keys <keys>', 'Override the key sequence for detaching a container', DEFAULT_DETACH_KEYS)
    .option('--sig-proxy', 'Proxy received signals to the process', true)
    .examples(
      'skiff run --rm hostbox echo hi',
      'skiff run -it --rm --name box hostbox sh',
      'skiff run -d --name web --memory 64m --cpus 0.5 hostbox httpd -f -p 8080',
      'tar c . | skiff run -i --rm hostbox sh -c "tar t | wc -l"',
    )
    .run(async (operands, options: RunOptions) => {
      try {
        process.exitCode = await run(operands, options);
      } catch (error) {
        const ofDaemon = error instanceof ApiError || error instanceof ConnectionError;
        if (!(error instanceof CliError) || error instanceof UsageError) throw error;
        if (error.exitCode < 125 && !ofDaemon) throw error;
        const help = "Run 'skiff run --help' for more information";
        throw new CliError(
          `skiff: ${error.message}

${help}`,
          Math.max(error.exitCode, 125),
          { cause: error },
        );
      }
    });

  async function run(operands: string[], options: RunOptions): Promise<number> {
    const body = createBody(operands, options);
    parseDetachKeys(options.detachKeys);
    const stdin = body.AttachStdin === true;
    if (options.detach) {
      if (options.attach !== undefined)
        throw new CliError('conflicting options: cannot specify both --attach and --detach');
      Object.assign(body, { AttachStdin: false, AttachStdout: false, AttachStderr: false, StdinOnce: false });
    } else if (stdin && body.Tty && !process.stdin.isTTY) {
      throw new CliError('the input device is not a TTY');
    }
    const size = terminalSize();
    if (body.Tty && size !== undefined) body.HostConfig.ConsoleSize = [size.h, size.w];

    const id = await createContainer(client, body, options);
    if (options.detach) {
      try {
        await client.text('POST', containerPath(id, '/start'));
      } catch (error) {
        throw startError(error);
      }
      say(id);
      return 0;
    }
    const attachment = {
      tty: body.Tty === true,
      stdin,
      stdout: body.AttachStdout === true,
      stderr: body.AttachStderr === true,
      detachKeys: options.detachKeys,
      sigProxy: options.sigProxy,
    };
    const end = await startInForeground(client, id, attachment, body.HostConfig.AutoRemove === true);
    return 'detached' in end ? 0 : end.exitCode;
  }
}
