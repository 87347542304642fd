/** Versions that clients ask for, or decide by. */

export const ENGINE_VERSION = '0.1.0';
export const API_VERSION = '1.50';
export const MIN_API_VERSION = '1.24';

/** −1, 0 or 1, as `a` is older than, the same as, or newer than `b`: `1.9` is older than `1.24`. */
export function compareVersions(a: string, b: string): number {
  const [aMajor = 0, aMinor = 0] = a.split('.').map(Number);
  const [bMajor = 0, bMinor = 0] = b.split('.').map(Number);
  return Math.sign(aMajor - bMajor) || Math.sign(aMinor - bMinor);
}
