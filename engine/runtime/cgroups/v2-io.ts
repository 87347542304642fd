/** What the block devices have done for a cgroup of v2. Kernel documentation, admin-guide/cgroup-v2, "io.stat". */

import type { CgroupUsage, IoCount } from './driver.ts';
import { readValue } from './files.ts';

export function ioOf(directory: string): CgroupUsage['io'] {
  const io = readValue(directory, 'io.stat');
  return io === null ? null : { bytes: counts(io, 'bytes'), operations: counts(io, 'ios') };
}

/** `254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6`; a device that has done nothing may have no numbers. */
function counts(text: string, unit: 'bytes' | 'ios'): IoCount[] {
  return text.split('\n').flatMap((line) => {
    const [, major, minor, rest = ''] = /^(\d+):(\d+) (.*)$/.exec(line) ?? [];
    const values = new Map(rest.split(' ').map((pair) => pair.split('=') as [string, string]));
    return (['read', 'write'] as const).flatMap((operation) => {
      const value = values.get(`${operation[0]}${unit}`);
      return value === undefined
        ? []
        : [{ major: Number(major), minor: Number(minor), operation, value: Number(value) }];
    });
  });
}
