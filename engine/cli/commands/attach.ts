import { ContainerSchema } from '../api-types.ts';
import { SkiffCommand } from '../command.ts';
import { containerPath } from '../containers.ts';
import type { Context } from '../context.ts';
import { DEFAULT_DETACH_KEYS } from '../detach-keys.ts';
import { CliError } from '../errors.ts';
import { attach, killer, resize, waitForEnd } from '../foreground.ts';
import { complain } from '../output.ts';
import { runSession } from '../session.ts';
import { proxySignals } from '../signal-proxy.ts';
import { followTerminalSize } from '../terminal.ts';

interface AttachOptions {
  detachKeys: string;
  stdin: boolean;
  sigProxy: boolean;
}

export function attachCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('attach')
    .description('Attach local standard input, output, and error streams to a running container')
    .operands('CONTAINER', 1)
    .option('--detach-keys <keys>', 'Override the key sequence for detaching a container', DEFAULT_DETACH_KEYS)
    .option('--no-stdin', 'Do not attach STDIN')
    .option('--sig-proxy', 'Proxy all received signals to the process', true)
    .examples('skiff attach box', 'skiff attach --no-stdin --sig-proxy=false web')
    .run(async ([name = ''], options: AttachOptions) => {
      const { Id, State, Config } = await client.json('GET', containerPath(name, '/json'), ContainerSchema);
      if (!State.Running) throw new CliError('You cannot attach to a stopped container, start it first');
      if (State.Paused) throw new CliError('You cannot attach to a paused container, unpause it first');
      if (State.Restarting) throw new CliError('You cannot attach to a restarting container, wait until it is running');
      const stdin = options.stdin && Config.OpenStdin;
      if (stdin && Config.Tty && !process.stdin.isTTY) throw new CliError('the input device is not a TTY');

      const streams = { stdin, stdout: true, stderr: true, detachKeys: options.detachKeys };
      const end = await waitForEnd(client, Id, 'not-running').accepted;
      const connection = await attach(client, Id, streams);
      const stopProxy = options.sigProxy ? proxySignals(killer(client, Id)) : () => {};
      const stopResize = Config.Tty ? followTerminalSize((size) => resize(client, containerPath(Id), size)) : () => {};
      try {
        const how = await runSession(connection, { ...streams, tty: Config.Tty, output: true });
        if (how === 'detached') complain('read escape sequence');
        else process.exitCode = await end.exitCode;
      } finally {
        stopResize();
        stopProxy();
      }
    });
}
