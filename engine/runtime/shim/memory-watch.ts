/** Counts the processes of one container that the kernel kills because memory has run out, as it happens. */

import type { Cgroup } from '../cgroups/driver.ts';

/** Milliseconds after which a kill that was announced is looked for once more; each time twice as many. */
const FIRST_LOOK = 1;
const LAST_LOOK = 2_000;

export interface MemoryWatch {
  /** Look once more, and end. @returns how many were killed in all */
  end(): number;
}

/** @param onKills told of so many more, and of each once. */
export function watchMemory(cgroup: Cgroup, onKills: (kills: number) => void): MemoryWatch {
  let known = 0;
  let ended = false;

  /** @returns whether there was news. */
  function look(): boolean {
    const kills = cgroup.outOfMemoryKills();
    if (kills <= known) return false;
    onKills(kills - known);
    known = kills;
    return true;
  }

  /** Version 1 tells before the kill, and nothing tells after it. */
  function lookUntilNews(milliseconds: number): void {
    if (ended || look() || milliseconds > LAST_LOOK) return;
    setTimeout(lookUntilNews, milliseconds, milliseconds * 2).unref();
  }

  const stop = startWatching(cgroup, () => lookUntilNews(FIRST_LOOK));
  look();
  return {
    end() {
      look();
      ended = true;
      stop();
      return known;
    },
  };
}

/** Where the kernel does not tell, the kills are counted at the end. */
function startWatching(cgroup: Cgroup, listener: () => void): () => void {
  try {
    return cgroup.watchMemory(listener);
  } catch {
    return () => {};
  }
}
