/** Sockets inside of a container's network namespace, held by a process outside of it. network_namespaces(7). */

import { close } from '#kernel/descriptors';
import { boundSocket, inetSocket } from '#kernel/inet-sockets';
import { inNamespace } from '../namespace.ts';

/** One for datagrams and one for connections, at the same address. @throws KernelError if one is in use; nothing is left then. */
export function boundPair(namespace: number, address: string, port: number): { udp: number; tcp: number } {
  return inNamespace(namespace, () => {
    const udp = boundSocket('udp', address, port);
    try {
      return { udp, tcp: boundSocket('tcp', address, port) };
    } catch (error) {
      close(udp);
      throw error;
    }
  });
}

/** A socket that speaks to what the container can reach. */
export function socketWithin(namespace: number, type: 'tcp' | 'udp', family: 4 | 6): number {
  return inNamespace(namespace, () => inetSocket(type, family));
}
