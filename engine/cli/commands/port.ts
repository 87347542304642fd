import * as z from 'zod/mini';
import { SkiffCommand } from '../command.ts';
import { containerPath } from '../containers.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { say } from '../output.ts';

const Ports = z.looseObject({
  NetworkSettings: z.looseObject({
    Ports: z.nullish(
      z.record(z.string(), z.nullable(z.array(z.looseObject({ HostIp: z.string(), HostPort: z.string() })))),
    ),
  }),
});

export function portCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('port')
    .description('List port mappings or a specific mapping for the container')
    .operands('CONTAINER [PRIVATE_PORT[/PROTO]]', 1, 2)
    .examples('skiff port web', 'skiff port web 80')
    .run(async ([name = '', wanted]) => {
      const { NetworkSettings } = await client.json('GET', containerPath(name, '/json'), Ports);
      const ports = NetworkSettings.Ports ?? {};
      const addresses = (port: string) => (ports[port] ?? []).map(({ HostIp, HostPort }) => `${HostIp}:${HostPort}`);
      if (wanted === undefined) {
        for (const port of Object.keys(ports).sort())
          for (const address of addresses(port)) say(`${port} -> ${address}`);
        return;
      }
      const port = wanted.includes('/') ? wanted : `${wanted}/tcp`;
      const found = addresses(port);
      if (found.length === 0) throw new CliError(`Error: No public port '${wanted}' published for ${name}`);
      for (const address of found) say(address);
    });
}
