/** What is asked of the disk, in its order. Loaded before the plank, which may keep the functions it has once found. */

import fs from 'node:fs';

let seen: string[] | undefined;

type Holder = Record<string, (...args: unknown[]) => unknown>;

function watch(holder: object, names: string[], what: string): void {
  const functions = holder as Holder;
  for (const name of names) {
    const original = functions[name]!;
    functions[name] = function (this: unknown, ...args: unknown[]) {
      seen?.push(what);
      return original.apply(this, args);
    };
  }
}

watch(fs, ['fsync', 'fdatasync', 'fsyncSync', 'fdatasyncSync'], 'sync');
watch(fs, ['rename', 'renameSync', 'link', 'linkSync'], 'name');
watch(fs.promises, ['rename', 'link'], 'name');

/** `sync` for each fsync(2) and fdatasync(2), `name` for each rename(2) and link(2), until `work` is done. */
export async function whatIsAsked(work: () => Promise<unknown>): Promise<string[]> {
  await watchHandles();
  const asked: string[] = [];
  seen = asked;
  try {
    await work();
  } finally {
    seen = undefined;
  }
  return asked;
}

let areHandlesWatched = false;

async function watchHandles(): Promise<void> {
  if (areHandlesWatched) return;
  areHandlesWatched = true;
  const handle = await fs.promises.open('/dev/null');
  watch(Object.getPrototypeOf(handle), ['sync', 'datasync'], 'sync');
  await handle.close();
}
