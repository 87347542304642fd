/** receive-layers.ts DIRECTORY: store and unpack layers, each another one, until somebody ends it; a line for each. */
import { join } from 'node:path';
import { packEntries } from '../archive.ts';
import { Snapshots } from '../snapshots.ts';
import { Store } from '../store.ts';

const directory = process.argv[2]!;
const store = await Store.open(join(directory, 'oci'));
const snapshots = await Snapshots.open(join(directory, 'snapshots'));
for (let number = 0; ; number += 1) {
  const files = Array.from({ length: 20 }, (_, file) => ({
    type: 'file' as const,
    path: `d/${file + 10}`,
    mode: 0o644,
    mtime: new Date(0),
    content: Buffer.alloc(20_000, `${process.pid} ${number} ${file} `),
  }));
  const layer = [{ type: 'directory' as const, path: 'd', mode: 0o755, mtime: new Date(0) }, ...files];
  const { diffId } = await snapshots.receive(store, async function* () { yield* packEntries(layer); }());
  console.log(diffId);
}
