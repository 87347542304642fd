/**
 * Network namespaces and the calling thread. A namespace belongs to a thread, not to a process: what runs synchronously on
 * the main thread between two setns(2) sees the other one, and nothing else of this process does. network_namespaces(7).
 */

import { close, O_RDONLY, open } from '#kernel/descriptors';
import { setInterfaceUp } from '#kernel/interfaces';
import { CLONE_NEWNET, setns, unshare } from '#kernel/namespaces';

const OWN = '/proc/thread-self/ns/net';

/**
 * A new network namespace with a loopback that is up. @returns a descriptor, close-on-exec; the namespace lives as long as it is open, a
 * process is in it, or a socket of it is open.
 * @throws KernelError EPERM without CAP_SYS_ADMIN
 */
export function makeNamespace(): number {
  return cameBack(() => {
    unshare(CLONE_NEWNET);
    setInterfaceUp('lo');
    return open(OWN, O_RDONLY);
  });
}

/** Run `task`, which must be synchronous, in the network namespace behind `namespace`. Sockets it opens stay there. */
export function inNamespace<T>(namespace: number, task: () => T): T {
  return cameBack(() => {
    setns(namespace, CLONE_NEWNET);
    return task();
  });
}

/** If the way back is barred the process cannot go on: whatever it did next would be done in another network. */
function cameBack<T>(task: () => T): T {
  const home = open(OWN, O_RDONLY);
  try {
    return task();
  } finally {
    try {
      setns(home, CLONE_NEWNET);
    } catch (error) {
      process.stderr.write(`Cannot return to the network namespace of the engine: ${(error as Error).message}\n`);
      process.abort();
    }
    close(home);
  }
}
