/** When written bytes go to the disk. */

import { libcFunction } from './libc.ts';

const syncFileRangeCall = libcFunction('int sync_file_range(int, int64_t, int64_t, unsigned int)');

const SYNC_FILE_RANGE_WRITE = 2;

/**
 * sync_file_range(2): have the disk begin with what was written to `fd` between two offsets, and do not wait. A hint:
 * that it cannot be followed is not reported, and only a later fsync(2) makes anything last.
 */
export function beginWriteback(fd: number, offset: number, length: number): void {
  syncFileRangeCall(fd, offset, length, SYNC_FILE_RANGE_WRITE);
}
