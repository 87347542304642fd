import { nearest as nearestWord } from '../../engine/cli/nearest.ts';

/** The one of `names` that `typed` was most likely meant to be: one that begins so, or a slip; undefined when none is near. */
export function nearest(typed: string, names: readonly string[]): string | undefined {
  return names.find((name) => name.startsWith(typed)) ?? nearestWord(typed, [...names]);
}
