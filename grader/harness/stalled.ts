/** How long work on this machine had to wait for a processor: what looks late may only have waited its turn. */

import fs from 'node:fs';

/** @returns milliseconds since the machine began; always 0 where the kernel does not count them. Kernel documentation, accounting/psi. */
export function stalledMilliseconds(): number {
  try {
    return Number(/^some .*total=(\d+)/.exec(fs.readFileSync('/proc/pressure/cpu', 'utf8'))?.[1] ?? 0) / 1000;
  } catch {
    return 0;
  }
}
