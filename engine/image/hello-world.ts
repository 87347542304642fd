/**
 * The image `hello-world:latest`, made here: one layer with one program that says which steps brought its words to the
 * terminal. It needs no network and no file of the host, and is the same on every machine of an architecture.
 */

import { packArchive } from './archive.ts';
import { hostPlatform } from './commit.ts';
import { type Descriptor, type ImageConfig, type Manifest, MEDIA_TYPE } from './documents.ts';
import { helloProgram } from './hello-program.ts';
import type { ImageRecord, Images } from './images.ts';
import type { Store } from './store.ts';

export const HELLO_WORLD = 'hello-world:latest';

/** Always the same, so that the image has the same digest everywhere. */
const CREATED = new Date('2026-01-01T00:00:00Z');

const TEXT = `
Ahoy! You read this, so your engine works from end to end.

What just happened:
  1. The client (skiff, or docker) read your command and asked the daemon, over its
     unix socket, for a container of the image hello-world.
  2. The daemon looked for that image in its store. Any image that is not there it
     pulls from a registry. This one it makes itself: no registry was asked, and
     nothing was downloaded.
  3. The daemon unpacked the image's only layer, put an empty layer to write on
     over it, and had a process started on that root, in namespaces of its own.
  4. The container is that process. It is the program /hello: it wrote these lines
     to its standard output, which the daemon hands on to the client, and ended.

Next, with a shell in it:       skiff run -it hostbox sh
An image from a registry:       skiff run -it debian bash
A registry of your own:         skiff registry serve
Build all of this yourself:     ./workshop

`;

/** The image as it is, or made now. Two callers at the same time make the same bytes. */
export async function ensureHelloWorld(images: Images): Promise<ImageRecord> {
  const release = images.hold();
  try {
    return await images.add(await buildHelloWorld(images.store), HELLO_WORLD);
  } finally {
    release();
  }
}

/**
 * Put the image into `store`, without giving it a name.
 * @returns the descriptor of its manifest.
 * @throws Error on an architecture that the program is not known for.
 */
async function buildHelloWorld(store: Store): Promise<Descriptor> {
  const platform = hostPlatform();
  const content = helloProgram(process.arch, TEXT);
  const layer = await store.put(packArchive([{ type: 'file', path: 'hello', mode: 0o755, mtime: CREATED, content }]));
  const created = CREATED.toISOString();
  const config: ImageConfig = {
    created,
    ...platform,
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      Cmd: ['/hello'],
      WorkingDir: '/',
    },
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
    history: [
      { created, created_by: 'skiff: hello-world, a program of two system calls' },
      { created, created_by: 'CMD ["/hello"]', empty_layer: true },
    ],
  };
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: { mediaType: MEDIA_TYPE.config, ...(await store.put(JSON.stringify(config))) },
    layers: [{ mediaType: MEDIA_TYPE.layer, ...layer }],
  };
  return { mediaType: MEDIA_TYPE.manifest, ...(await store.put(JSON.stringify(manifest))) };
}
