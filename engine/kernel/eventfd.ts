import { systemCall } from './libc.ts';

const eventfdCall = systemCall('int eventfd(uint32_t, int)');

const EFD_CLOEXEC = 0o2000000;
const EFD_NONBLOCK = 0o4000;

/** eventfd(2) with a count of 0: close-on-exec, and never waited for in read(2). */
export function eventfd(): number {
  return eventfdCall('', 0, EFD_CLOEXEC | EFD_NONBLOCK);
}
