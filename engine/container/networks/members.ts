/** The containers of a network. */

import type { Container } from '../container.ts';
import type { Engine } from '../engine.ts';
import type { EndpointRecord } from './endpoint.ts';
import type { NetworkRecord } from './network-record.ts';

export interface Member {
  container: Container;
  endpoint: EndpointRecord | undefined;
}

/** The containers that are in a network now, as Docker counts them: those that run. */
export function membersOf(engine: Engine, network: NetworkRecord): Member[] {
  const running = engine.containers.all().filter((container) => container.running);
  if (network.driver !== 'bridge')
    return running
      .filter(({ record }) => record.hostConfig.NetworkMode === network.name)
      .map((container) => ({ container, endpoint: undefined }));
  return running.flatMap((container) => {
    const endpoint = container.record.endpoints.find((each) => each.network === network.id);
    return endpoint?.connection ? [{ container, endpoint }] : [];
  });
}

/** Tell of something that happened to a network, with the attributes Docker gives it. */
export function emitNetworkEvent(
  engine: Engine,
  { id, name, driver }: NetworkRecord,
  action: string,
  attributes: Record<string, string> = {},
): void {
  engine.events.emit('network', action, id, { ...attributes, name, type: driver });
}
