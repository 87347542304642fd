/** An overlay that is mounted in a process of its own, which hands it over and ends: in no other tree is it ever seen. */

import { getCapabilities, setCapabilities, setFileSystemIds } from '#kernel/credentials';
import { close, O_DIRECTORY, O_PATH, open, pipe, write } from '#kernel/descriptors';
import { exitNow } from '#kernel/execve';
import { copyMount, MS_PRIVATE, MS_REC, mount, placeMount } from '#kernel/mounts';
import { CLONE_NEWNS } from '#kernel/namespaces';
import { mountOverlay } from '#overlay';
import { spawn } from '#process';
import { type Starter, sayGo, waitForGo, waitForParent } from './launch.ts';
import { explainingOverlay } from './overlay-failure.ts';
import { readLine, readToEnd } from './pipes.ts';
import type { MappedState, OverlayRoot } from './spec.ts';
import { parseReport } from './start-error.ts';
import { step } from './step.ts';
import { takeMaster } from './terminal.ts';

export interface OverlayApart {
  /** Where it is mounted in that process. */
  path: string;
  overlay: OverlayRoot;
  state: MappedState;
  /** Opens the directory of the state with mapped ids. */
  openTree: () => number;
  /** Who root of the container is on the host. */
  owner: { uid: number; gid: number };
}

/** @returns a descriptor of the overlay, which is in no tree. @throws StartError */
export async function mountOverlayApart(apart: OverlayApart, { reaper, self }: Starter): Promise<number> {
  const [go, announce] = [pipe(), pipe()];
  const ends = [go.read, announce.write];
  const prepare = () => {
    waitForParent({ parent: self, go });
    const fd = mountMapped(apart);
    write(announce.write, `${fd}\n`);
    // The parent says so when it has taken its copy.
    waitForGo(go.read);
    exitNow(0);
  };
  let child: ReturnType<typeof spawn>;
  try {
    child = spawn({ args: [], env: [], cwd: '/', stdio: [0, 1, 2] }, { cloneFlags: CLONE_NEWNS, prepare });
  } catch (error) {
    ends.push(go.write, announce.read);
    throw error;
  } finally {
    for (const fd of ends) close(fd);
  }
  const ended = reaper.ended(child.pid);
  const report = readToEnd(child.report);
  try {
    sayGo(go.write);
    const line = await readLine(announce.read);
    if (!/^\d+$/.test(line))
      throw parseReport(await report) ?? new Error('The process that was to mount the overlay has ended.');
    return takeMaster(child.pid, Number(line));
  } finally {
    sayGo(go.write);
    close(go.write);
    await report;
    await ended;
  }
}

/**
 * In the child. An overlay works in its upper directory as who has mounted it, so that has to be somebody who has an id
 * there: root of the container, as far as files go, with the powers of the host's.
 */
function mountMapped({ path, overlay, state, openTree, owner }: OverlayApart): number {
  mount({ target: '/', flags: MS_REC | MS_PRIVATE });
  placeMount(openTree(), state.directory);
  step('map ids', () => {
    setFileSystemIds(owner.uid, owner.gid);
    const { permitted, inheritable } = getCapabilities();
    setCapabilities({ effective: permitted, permitted, inheritable });
  });
  return step('mount overlay', () =>
    explainingOverlay(overlay, () => {
      mountOverlay(path, overlay, false);
      const fd = open(path, O_PATH | O_DIRECTORY);
      const copy = copyMount(fd);
      close(fd);
      return copy;
    }),
  );
}
