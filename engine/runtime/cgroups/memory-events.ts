/** Hearing of it when a cgroup has run out of memory. Kernel documentation, cgroup-v1/memory "OOM Control", cgroup-v2 "memory.events". */

import { watch } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { close, dup3, O_RDONLY, open, pipe } from '#kernel/descriptors';
import { eventfd } from '#kernel/eventfd';
import { writeValue } from './files.ts';

/**
 * Call `listener` each time the v1 memory cgroup `directory` has run out of memory, which is before the kernel has killed
 * a process for it. The cgroup's removal calls it too.
 * @returns a function that ends it.
 */
export function watchMemoryV1(directory: string, listener: () => void): () => void {
  const event = eventfd();
  try {
    const control = open(join(directory, 'memory.oom_control'), O_RDONLY);
    try {
      writeValue(directory, 'cgroup.event_control', `${event} ${control}`);
    } finally {
      close(control);
    }
  } catch (error) {
    close(event);
    throw error;
  }
  // Node has no handle for an event; it is put in the place of a pipe before the event loop has looked at that.
  const placeholder = pipe();
  const socket = new Socket({ fd: placeholder.read, readable: true, writable: false });
  dup3(event, placeholder.read);
  close(event);
  close(placeholder.write);
  socket.on('error', () => socket.destroy());
  socket.on('data', listener);
  return () => socket.destroy();
}

/** The same for version 2, where it is told after the kill. */
export function watchMemoryV2(directory: string, listener: () => void): () => void {
  const watcher = watch(join(directory, 'memory.events'), listener);
  watcher.on('error', () => watcher.close());
  return () => watcher.close();
}
