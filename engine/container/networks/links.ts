/** Links of the default bridge, from before networks had names: `CONTAINER[:ALIAS]`. Docker's documentation, "Legacy container links". */

import type { Container } from '../container.ts';
import type { Engine } from '../engine.ts';
import { ContainerError } from '../errors.ts';

export interface Link {
  container: Container;
  alias: string;
}

/** @throws ContainerError `invalid` for what is not a link, or names no container */
export function parseLink(engine: Engine, text: string): Link {
  const [name = '', given = name, ...more] = text.split(':');
  const alias = given.split('/').at(-1) ?? '';
  if (name === '' || more.length > 0 || !/^[\w.-]{1,255}$/.test(alias))
    throw new ContainerError('invalid', `bad format for links: ${text.slice(0, 100)}. It is CONTAINER[:ALIAS].`);
  try {
    return { container: engine.containers.find(name), alias };
  } catch (error) {
    throw new ContainerError(
      'invalid',
      `could not get container for ${name.slice(0, 100)}: ${(error as Error).message}`,
    );
  }
}

/** The lines of /etc/hosts for the links of a container in the default bridge. @throws ContainerError `conflict` */
export function linkedHosts(engine: Engine, links: string[], of: string): string[] {
  return links.map((text) => {
    const { container, alias } = parseLink(engine, text);
    const address = container.record.endpoints.find(({ name }) => name === 'bridge')?.connection?.ipv4;
    if (!container.running || address === undefined)
      throw new ContainerError(
        'conflict',
        `Cannot link to a non running container: /${container.record.name} AS /${of}/${alias}. Start it first.`,
      );
    const names = new Set([alias, container.record.config.Hostname, container.record.name]);
    return `${address.replace(/\/.*/, '')}\t${[...names].join(' ')}`;
  });
}
