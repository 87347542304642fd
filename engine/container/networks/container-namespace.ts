import fs from 'node:fs';
import { processStat } from '#kernel/process-stat';
import type { ContainerRecord } from '../record.ts';

/**
 * The network namespace of a container that runs.
 * @param options.isHost whether it may be that of this process, as a container with the host's network has it
 * @returns a descriptor
 * @throws Error if the container's process has ended, also when another one has its number by now
 */
export function openNamespace(
  { pid, startTime, name }: Pick<ContainerRecord, 'pid' | 'startTime' | 'name'>,
  { isHost = false } = {},
): number {
  const namespace = fs.openSync(`/proc/${pid}/ns/net`, 'r');
  try {
    // The file stands for the process that had the number when it was opened, so it is asked for its start afterwards.
    if (processStat(pid)?.startTime !== startTime) throw new Error(`the process ${pid} of ${name} has ended`);
    if (!isHost && fs.fstatSync(namespace).ino === fs.statSync('/proc/thread-self/ns/net').ino)
      throw new Error(`the process ${pid} of ${name} is in the network of the engine`);
    return namespace;
  } catch (error) {
    fs.closeSync(namespace);
    throw error;
  }
}
