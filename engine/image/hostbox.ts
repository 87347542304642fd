/**
 * The base image `hostbox:latest`: made from the host's own files, so it needs no network and no binary of ours.
 * The same host files give the same digest.
 */

import { statSync } from 'node:fs';
import { type ArchiveEntry, packArchive } from './archive.ts';
import { type Descriptor, type ImageConfig, type Manifest, MEDIA_TYPE } from './documents.ts';
import { type HostboxVariant, hostPrograms, type Programs } from './hostbox-programs.ts';
import { hostboxSkeleton } from './hostbox-skeleton.ts';
import type { Store } from './store.ts';

export const HOSTBOX = 'hostbox:latest';

export interface HostboxOptions {
  /** By default the first that the host has. */
  variant?: HostboxVariant;
  /** Told what is being done, in a few words; at most ten times. */
  onProgress?: (step: string) => void;
}

/** What Go, and so the specification, calls the processors that Node runs on. */
const ARCHITECTURES: Record<string, string> = { x64: 'amd64', arm64: 'arm64' };

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Put the image into `store`, without giving it a name. Some megabytes are read and written.
 * @returns the descriptor of its manifest.
 * @throws HostboxImpossible when the host lacks the programs.
 */
export async function buildHostbox(store: Store, options: HostboxOptions = {}): Promise<Descriptor> {
  const progress = options.onProgress ?? (() => {});
  progress('looking for programs on this host');
  const programs = await hostPrograms(options.variant);
  const mtime = newest(programs);
  progress(`packing ${programs.files.size} files and ${programs.links.size} links (${programs.description})`);
  const layer = await store.put(packArchive(hostboxEntries(programs, mtime)));

  const created = mtime.toISOString();
  const config: ImageConfig = {
    created,
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    os: 'linux',
    config: { Env: [`PATH=${PATH}`], Cmd: ['sh'], WorkingDir: '/' },
    // Uncompressed, so the blob's digest is the diffID as well.
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
    history: [
      { created, created_by: `skiff: hostbox, from this host's ${programs.description}` },
      { created, created_by: 'CMD ["sh"]', empty_layer: true },
    ],
  };
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: { mediaType: MEDIA_TYPE.config, ...(await store.put(JSON.stringify(config))) },
    layers: [{ mediaType: MEDIA_TYPE.layer, ...layer }],
  };
  progress('writing the manifest');
  return { mediaType: MEDIA_TYPE.manifest, ...(await store.put(JSON.stringify(manifest))) };
}

/** A tar needs every directory before what is in it. */
function hostboxEntries({ files, links }: Programs, mtime: Date): ArchiveEntry[] {
  const skeleton = hostboxSkeleton(mtime);
  const directories = new Set(skeleton.filter((entry) => entry.type === 'directory').map((entry) => entry.path));
  const missing = new Set([...files.keys(), ...links.keys()].flatMap(parents).filter((path) => !directories.has(path)));
  return [
    ...skeleton,
    ...[...missing].sort().map((path): ArchiveEntry => ({ type: 'directory', path, mode: 0o755, mtime })),
    ...[...files].map(([path, source]): ArchiveEntry => {
      const { mode, size } = statSync(source);
      // The host's set-user-ID bits stay on the host.
      return { type: 'file', path, source, size, mode: mode & 0o111 ? 0o755 : 0o644, mtime };
    }),
    ...[...links].map(([path, target]): ArchiveEntry => ({ type: 'symlink', path, target, mode: 0o777, mtime })),
  ];
}

/** `a/b/c` → `a`, `a/b`. */
function parents(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** The image is as old as the newest file in it, to the second. */
function newest({ files }: Programs): Date {
  const times = [...files.values()].map((file) => statSync(file).mtimeMs);
  return new Date(Math.floor(Math.max(0, ...times) / 1000) * 1000);
}
