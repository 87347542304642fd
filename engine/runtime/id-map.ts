/** An id mapping as the kernel knows one: a user namespace. user_namespaces(7). */

import { close, O_RDONLY, open, pipe } from '#kernel/descriptors';
import { exitNow } from '#kernel/execve';
import { CLONE_NEWUSER } from '#kernel/namespaces';
import { writeIdMappings } from '#namespaces';
import { spawn } from '#process';
import { type Starter, sayGo, waitForParent } from './launch.ts';
import { readToEnd } from './pipes.ts';
import type { IdMapping } from './spec.ts';

/** Nobody lives in them: they last as long as their descriptors are open. */
const known = new Map<string, Promise<number>>();

/**
 * A descriptor of a user namespace with these mappings, which this process keeps. It is made by a child that leaves it
 * again at once.
 * @throws Error of what the kernel refuses.
 */
export function idMap(uids: IdMapping[], gids: IdMapping[], starter: Starter): Promise<number> {
  const name = JSON.stringify([uids, gids]);
  let making = known.get(name);
  if (making === undefined) {
    making = makeUserNamespace(uids, gids, starter);
    making.catch(() => known.delete(name));
    known.set(name, making);
  }
  return making;
}

async function makeUserNamespace(uids: IdMapping[], gids: IdMapping[], { reaper, self }: Starter): Promise<number> {
  const go = pipe();
  const prepare = () => {
    waitForParent({ parent: self, go });
    exitNow(0);
  };
  const nothing = { args: [], env: [], cwd: '/', stdio: [0, 1, 2] as [number, number, number] };
  let child: ReturnType<typeof spawn>;
  try {
    child = spawn(nothing, { cloneFlags: CLONE_NEWUSER, prepare });
  } catch (error) {
    close(go.write);
    throw error;
  } finally {
    close(go.read);
  }
  const ended = reaper.ended(child.pid);
  try {
    writeIdMappings(child.pid, uids, gids);
    return open(`/proc/${child.pid}/ns/user`, O_RDONLY);
  } finally {
    sayGo(go.write);
    close(go.write);
    await readToEnd(child.report);
    await ended;
  }
}
