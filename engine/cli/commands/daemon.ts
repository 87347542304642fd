import fs from 'node:fs';
import { SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { handOver, siblingBundle } from '../handover.ts';

export function daemonCommand({ location }: Context): SkiffCommand {
  return new SkiffCommand('daemon')
    .description('Run the daemon in the foreground')
    .operands('', 0)
    .option('--socket <path>', 'Listen there instead of on the socket of the root')
    .option('--idle-exit <seconds>', 'End after so many seconds without a request and a container')
    .examples('skiff daemon', 'skiff --root DIR daemon --socket DIR/docker.sock')
    .run(async (_operands, { socket, idleExit }: { socket?: string; idleExit?: string }) => {
      const bundle = siblingBundle('daemon.cjs');
      if (!fs.existsSync(bundle)) throw new CliError(`The daemon is not built: there is no ${bundle}.`, 125);
      const args = ['--root', location.root, '--socket', socket ?? location.socket];
      if (idleExit !== undefined) args.push('--idle-exit', idleExit);
      process.exitCode = await handOver(bundle, args);
    });
}
