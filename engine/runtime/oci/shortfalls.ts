import { getRlimit } from '#kernel/rlimits';
import { hostCapabilities } from '../capabilities.ts';
import type { ConfigProcess } from './config-document.ts';

/**
 * What a process asks for and this runtime, who has not got it, cannot give. It starts with less all the same: that takes
 * nothing from its isolation, and the specification wants it told. config.md, "Linux Process".
 * @returns a sentence each.
 */
export function shortfallsOf({ capabilities = {}, rlimits = [] }: ConfigProcess): string[] {
  const own = new Set(hostCapabilities());
  const missing = new Set(
    Object.values(capabilities).flatMap((names) => (names ?? []).filter((name) => !own.has(name))),
  );
  const sentences = [...missing].map(
    (name) => `process.capabilities: ${name} cannot be given, since this runtime itself has not got it.`,
  );
  if (own.has('CAP_SYS_RESOURCE')) return sentences;
  for (const { type, hard } of rlimits) {
    const allowed = getRlimit(0, type).hard;
    if (hard > allowed)
      sentences.push(
        `process.rlimits: ${type} stays at ${allowed}, since this runtime may not raise it (it has no CAP_SYS_RESOURCE).`,
      );
  }
  return sentences;
}
