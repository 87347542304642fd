/** What the block devices have done for a cgroup of v1. Kernel documentation, admin-guide/cgroup-v1/blkio-controller. */

import type { CgroupUsage, IoCount } from './driver.ts';
import { readValue } from './files.ts';

export function ioOf(directory: string): CgroupUsage['io'] {
  return {
    bytes: counts(directory, 'io_service_bytes_recursive'),
    operations: counts(directory, 'io_serviced_recursive'),
  };
}

/** BFQ counts what goes through it, the throttling layer counts everything, on kernels since 5.18 only where it throttles. */
function counts(directory: string, file: string): IoCount[] {
  const parse = (text: string | null): IoCount[] =>
    [...(text ?? '').matchAll(/^(\d+):(\d+) (\w+) (\d+)$/gm)].map(([, major, minor, operation = '', value]) => ({
      major: Number(major),
      minor: Number(minor),
      operation,
      value: Number(value),
    }));
  const byBfq = parse(readValue(directory, `blkio.bfq.${file}`));
  return byBfq.length > 0 ? byBfq : parse(readValue(directory, `blkio.throttle.${file}`));
}
