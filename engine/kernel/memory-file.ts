import { close, write } from './descriptors.ts';
import { systemCall } from './libc.ts';

const memfdCreateCall = systemCall('int memfd_create(const char *, uint32_t)');
const lseekCall = systemCall('long lseek(int, long, int)');

const MFD_CLOEXEC = 1;

/** A file that is nowhere but in memory, open for reading from its beginning and for writing. memfd_create(2). @param name seen in /proc only. */
export function memoryFile(name: string, content: string | Uint8Array = ''): number {
  const fd = memfdCreateCall(name, name, MFD_CLOEXEC);
  try {
    write(fd, content);
    rewind(fd);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** Go on at the beginning, for every process that has this open. lseek(2). */
export function rewind(fd: number): void {
  lseekCall(String(fd), fd, 0, 0);
}
