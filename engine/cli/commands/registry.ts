import fs from 'node:fs';
import path from 'node:path';
import { SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { handOver, siblingBundle } from '../handover.ts';

const DATA_OPTION = 'Keep everything there (default: registry/ in the root)';

/** `skiff registry serve`: a process of its own, since a registry outlives no engine and needs none. */
export function registryServeCommand(context: Context): SkiffCommand {
  return registryCommand(context, 'serve')
    .description('Run a registry in the foreground: stock clients push to it and pull from it')
    .option('--listen <address>', 'Listen on HOST:PORT (default: 127.0.0.1:5000); port 0 takes a free one')
    .option('--data <dir>', DATA_OPTION)
    .option('--htpasswd <file>', 'Ask for a name and a password of this file, made by htpasswd -B')
    .option('--writers <names>', 'Let only these users of the file push and delete, e.g. ann,bob')
    .option('--token-realm <url>', 'Take the tokens of a token server instead: where clients get them')
    .option('--token-service <name>', 'The name of this registry there, the audience of its tokens')
    .option('--token-issuer <name>', 'The name of the token server in its tokens')
    .option('--token-keys <file>', 'The public keys or certificates that verify them (PEM)')
    .option('--tls-cert <file>', 'Speak HTTPS, with this certificate and its chain (PEM)')
    .option('--tls-key <file>', 'The private key of the certificate (PEM)')
    .option('--read-only', 'Refuse pushes and deletions')
    .option('--no-delete', 'Refuse deletions')
    .examples('skiff registry serve', 'skiff registry serve --listen 127.0.0.1:0 --data DIR --htpasswd FILE');
}

export function registryCheckCommand(context: Context): SkiffCommand {
  return registryCommand(context, 'check')
    .description('Read back every blob, manifest and tag of a registry, and name what is damaged or missing')
    .option('--data <dir>', DATA_OPTION)
    .examples('skiff registry check --data DIR');
}

export function registryGcCommand(context: Context): SkiffCommand {
  return registryCommand(context, 'gc')
    .description(
      'Remove blobs that no manifest refers to. A registry that runs does so by itself, and at once on SIGUSR2',
    )
    .option('--data <dir>', DATA_OPTION)
    .option('--older-than <seconds>', 'Keep what came within so many seconds (default: 86400)')
    .examples('skiff registry gc --data DIR');
}

/** The options go to the registry's own bundle as they were given. */
function registryCommand({ location }: Context, verb: string): SkiffCommand {
  const command = new SkiffCommand(`registry ${verb}`).operands('', 0);
  return command.run(async (_operands, options: Record<string, string | boolean>) => {
    const bundle = siblingBundle('registry.cjs');
    if (!fs.existsSync(bundle)) throw new CliError(`The registry is not built: there is no ${bundle}.`, 125);
    const given: Record<string, string | boolean> = { data: path.join(location.root, 'registry'), ...options };
    const args = Object.entries(given).flatMap(([name, value]) => {
      if (name === 'delete') return value === false ? ['--no-delete'] : [];
      const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
      return value === true ? [flag] : [`${flag}=${value}`];
    });
    process.exitCode = await handOver(bundle, [verb, ...args]);
  });
}
