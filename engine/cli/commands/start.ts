import { ContainerSchema } from '../api-types.ts';
import { SkiffCommand } from '../command.ts';
import { containerPath } from '../containers.ts';
import type { Context } from '../context.ts';
import { DEFAULT_DETACH_KEYS } from '../detach-keys.ts';
import { CliError, ConnectionError, errorText } from '../errors.ts';
import { startInForeground } from '../foreground.ts';
import { complain, say } from '../output.ts';

interface StartOptions {
  attach?: boolean;
  interactive?: boolean;
  detachKeys: string;
  sigProxy: boolean;
}

export function startCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('start')
    .description('Start one or more stopped containers')
    .operands('CONTAINER [CONTAINER...]', 1, Number.POSITIVE_INFINITY)
    .option('-a, --attach', 'Attach STDOUT/STDERR and forward signals')
    .option('-i, --interactive', "Attach container's STDIN")
    .option('--detach-keys <keys>', 'Override the key sequence for detaching a container', DEFAULT_DETACH_KEYS)
    .option('--sig-proxy', 'Proxy received signals to the process', true)
    .examples('skiff start web', 'skiff start -ai box')
    .run(async (names, options: StartOptions) => {
      if (options.attach || options.interactive) process.exitCode = await startAttached(names, options);
      else await startAll(names);
    });

  async function startAttached(names: string[], options: StartOptions): Promise<number> {
    const [name = '', another] = names;
    if (another !== undefined) throw new CliError('you cannot start and attach multiple containers at once');
    const { Id, Config, ...rest } = await client.json('GET', containerPath(name, '/json'), ContainerSchema);
    const attachment = {
      tty: Config.Tty,
      stdin: options.interactive === true && Config.OpenStdin,
      stdout: true,
      stderr: true,
      detachKeys: options.detachKeys,
      sigProxy: options.sigProxy,
    };
    const end = await startInForeground(client, Id, attachment, removesItself(rest));
    return 'detached' in end ? 0 : end.exitCode;
  }

  async function startAll(names: string[]): Promise<void> {
    const failed: string[] = [];
    for (const name of names) {
      try {
        await client.text('POST', containerPath(name, '/start'));
        say(name);
      } catch (error) {
        if (error instanceof ConnectionError) throw error;
        complain(errorText(error));
        failed.push(name);
      }
    }
    if (failed.length > 0) throw new CliError(`Error: failed to start containers: ${failed.join(', ')}`);
  }
}

function removesItself(container: Record<string, unknown>): boolean {
  const { HostConfig } = container;
  return (
    typeof HostConfig === 'object' &&
    HostConfig !== null &&
    'AutoRemove' in HostConfig &&
    HostConfig.AutoRemove === true
  );
}
