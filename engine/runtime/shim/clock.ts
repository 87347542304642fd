/** The time of day with nanoseconds, never twice the same and never backwards within one millisecond's noise. */

const MILLION = 1_000_000n;
/** The wall clock was set, or the machine slept: more than rounding apart. */
const APART = 5n * MILLION;

let offset = wallClock() - process.hrtime.bigint();

function wallClock(): bigint {
  return BigInt(Date.now()) * MILLION;
}

/** Now, in RFC 3339 with nanoseconds and without trailing zeros, as Go's time.RFC3339Nano writes it. */
export function timestamp(): string {
  let now = process.hrtime.bigint() + offset;
  const apart = now - wallClock();
  if (apart > APART || apart < -APART) {
    offset = wallClock() - process.hrtime.bigint();
    now = wallClock();
  }
  const seconds = new Date(Number(now / MILLION)).toISOString().slice(0, 19);
  const fraction = (now % (1000n * MILLION)).toString().padStart(9, '0').replace(/0+$/, '');
  return fraction === '' ? `${seconds}Z` : `${seconds}.${fraction}Z`;
}
