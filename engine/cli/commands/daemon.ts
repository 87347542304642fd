import fs from 'node:fs';
import { collect, SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { handOver, siblingBundle } from '../handover.ts';
import { say } from '../output.ts';
import { stopDaemon } from '../stop-daemon.ts';

interface DaemonOptions {
  socket?: string;
  idleExit?: string;
  usernsRemap?: string;
  registryMirror?: string[];
  insecureRegistry?: string[];
  maxConcurrentDownloads?: string;
  bridge?: string;
  bip?: string;
  defaultAddressPool?: string[];
  ip?: string;
  icc?: string;
  ipMasq?: string;
  ipForward?: string;
}

/** Which the daemon's own program takes under the same names, and checks. */
const PASSED_ON = [
  'idleExit',
  'usernsRemap',
  'registryMirror',
  'insecureRegistry',
  'maxConcurrentDownloads',
  'bridge',
  'bip',
  'defaultAddressPool',
  'ip',
  'icc',
  'ipMasq',
  'ipForward',
] as const satisfies (keyof DaemonOptions)[];

export function daemonCommand({ location }: Context): SkiffCommand {
  return new SkiffCommand('daemon')
    .description('Run the daemon in the foreground, or stop the one that runs in the background')
    .operands('[stop]', 0, 1)
    .option('--socket <path>', 'Listen there instead of on the socket of the root')
    .option('--idle-exit <seconds>', 'End after so many seconds without a request and a container')
    .option(
      '--userns-remap <user>',
      'Give containers a user namespace, with the ids that /etc/subuid has for that user',
    )
    .option('--registry-mirror <url>', 'Ask there before Docker Hub; may be repeated', collect)
    .option(
      '--insecure-registry <host>',
      'Reach this registry without TLS, or with any certificate; may be repeated',
      collect,
    )
    .option('--max-concurrent-downloads <number>', 'Fetch so many layers of a pull at the same time (default 3)')
    .option('--bridge <name>', "'none' leaves the network bridge out, and gives containers no network by default")
    .option('--bip <address/prefix>', 'Address of the default bridge, e.g. 10.0.0.1/24')
    .option(
      '--default-address-pool <pool>',
      'Where networks get their subnets from, e.g. base=10.10.0.0/16,size=24; may be repeated',
      collect,
    )
    .option('--ip <address>', 'Publish ports on this address of the host unless told otherwise')
    .option('--icc [switch]', 'Let containers on the default bridge reach each other (default true)')
    .option('--ip-masq [switch]', "Give what containers send to the outside the host's address (default true)")
    .option('--ip-forward [switch]', 'Set the host to forward packets (default true)')
    .examples('skiff daemon', 'skiff --root DIR daemon --socket DIR/docker.sock', 'skiff --root DIR daemon stop')
    .run(async ([verb], options: DaemonOptions) => {
      if (verb === 'stop') return await stop(location.root);
      if (verb !== undefined)
        throw new CliError(
          `There is no 'skiff daemon ${verb}'. There are 'skiff daemon' and 'skiff daemon stop'.`,
          125,
        );
      const bundle = siblingBundle('daemon.cjs');
      if (!fs.existsSync(bundle)) throw new CliError(`The daemon is not built: there is no ${bundle}.`, 125);
      const args = ['--root', location.root, '--socket', options.socket ?? location.socket];
      for (const name of PASSED_ON)
        for (const value of [options[name] ?? []].flat())
          args.push(`--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}=${value || true}`);
      process.exitCode = await handOver(bundle, args);
    });
}

async function stop(root: string): Promise<void> {
  const pid = await stopDaemon(root);
  say(pid === null ? `No daemon runs for ${root}.` : `Stopped the daemon of ${root} (process ${pid}).`);
}
