import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import type { Mount } from '../runtime/spec.ts';
import type { MountRequest } from './config.ts';
import { ContainerError } from './errors.ts';

/** A mount that the user or the image asked for, as the record keeps it. */
export const ContainerMount = z.object({
  type: z.enum(['bind', 'volume', 'tmpfs']),
  /** Of a volume. */
  name: z.string(),
  /** An absolute path on the host; empty for tmpfs. */
  source: z.string(),
  destination: z.string(),
  readonly: z.boolean(),
  recursive: z.boolean(),
  /** The options in the user's words. */
  mode: z.string(),
  /** A volume nobody gave a name to, which goes when its container goes with `-v` or `--rm`. */
  anonymous: z.boolean(),
  /** Whether a new volume begins with what the image has there. */
  copy: z.boolean().default(false),
  /** Whether a missing source is made, a directory, as Docker does for `-v` but not for `--mount`. */
  makeSource: z.boolean(),
  /** For tmpfs: its mount options. */
  options: z.array(z.string()),
  /** Of a bind: `shared`, `slave` and their recursive forms; private if absent. mount_namespaces(7). */
  propagation: z.string().optional(),
});
export type ContainerMount = z.infer<typeof ContainerMount>;

export interface MountRequests {
  binds: string[];
  mounts: MountRequest[];
  tmpfs: Record<string, string>;
  /** Mounts of other containers, which give way to those asked for here. */
  inherited: ContainerMount[];
  /** Destinations that the request or the image wants a volume at, whatever its name. */
  volumes: string[];
}

const PROPAGATION = /^r?(shared|slave)$/;
const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
/** Without a security module these change nothing, as with Docker; consistency is for other operating systems. `nocopy` is for volumes. */
const WITHOUT_EFFECT = new Set(['z', 'Z', 'rw', 'consistent', 'cached', 'delegated', 'nocopy', 'rprivate', 'private']);

/**
 * What all the ways to ask for a mount come to, outermost destination first.
 * @param volumes the directory the volumes are in.
 * @throws ContainerError `invalid` in Docker's words, `unsupported` for a part of a volume.
 */
export function containerMounts(requests: MountRequests, volumes: string): ContainerMount[] {
  const mounts = [
    ...requests.binds.map((bind) => parseBind(bind, volumes)),
    ...requests.mounts.map((mount) => parseMount(mount, volumes)),
    ...Object.entries(requests.tmpfs).map(([destination, options]) =>
      tmpfs(destination, options.split(',').filter(Boolean)),
    ),
  ];
  const taken = new Set<string>();
  for (const { destination } of mounts) {
    if (taken.has(destination)) throw new ContainerError('invalid', `Duplicate mount point: ${destination}`);
    taken.add(destination);
  }
  for (const mount of requests.inherited) {
    if (!taken.has(mount.destination)) mounts.push(mount);
    taken.add(mount.destination);
  }
  for (const wanted of requests.volumes) {
    const destination = parseDestination(wanted);
    if (!taken.has(destination)) mounts.push(volume('', destination, volumes));
    taken.add(destination);
  }
  const depth = ({ destination }: ContainerMount) => destination.split('/').length;
  return mounts.sort((a, b) => depth(a) - depth(b));
}

/** The mounts of config.md for what `containerMounts` gave. */
export function specMounts(mounts: ContainerMount[]): Mount[] {
  return mounts.map((mount) =>
    mount.type === 'tmpfs'
      ? { destination: mount.destination, type: 'tmpfs', source: 'tmpfs', options: mount.options }
      : {
          destination: mount.destination,
          type: 'bind',
          source: mount.source,
          options: [
            mount.recursive ? 'rbind' : 'bind',
            ...(mount.readonly ? ['ro', ...(mount.recursive ? ['rro'] : [])] : ['rw']),
            ...(mount.propagation === undefined ? [] : [mount.propagation]),
          ],
        },
  );
}

function parseBind(bind: string, volumes: string): ContainerMount {
  const parts = bind.split(':');
  const [source = '', target = '', mode = ''] = parts;
  if (parts.length < 2 || parts.length > 3 || source === '' || target === '')
    throw new ContainerError('invalid', `invalid volume specification: '${bind}'`);
  const options = mode.split(',').filter(Boolean);
  const propagation = options.find((option) => PROPAGATION.test(option));
  for (const option of options) {
    if (option !== 'ro' && option !== propagation && !WITHOUT_EFFECT.has(option))
      throw new ContainerError('invalid', `invalid mode: ${mode}`);
  }
  const readonly = options.includes('ro');
  const destination = parseDestination(target);
  const how = { readonly, mode, ...(propagation !== undefined && { propagation }) };
  if (!source.startsWith('/'))
    return { ...volume(source, destination, volumes), ...how, copy: !options.includes('nocopy') };
  return { ...bindMount(source, destination), ...how, makeSource: true };
}

function parseMount(mount: MountRequest, volumes: string): ContainerMount {
  const destination = parseDestination(mount.Target);
  const readonly = mount.ReadOnly;
  switch (mount.Type) {
    case 'bind': {
      if (!mount.Source.startsWith('/'))
        throw new ContainerError(
          'invalid',
          `invalid mount config for type "bind": invalid mount path: '${mount.Source}' mount path must be absolute`,
        );
      const propagation = mount.BindOptions?.Propagation ?? '';
      if (propagation !== '' && !PROPAGATION.test(propagation) && !WITHOUT_EFFECT.has(propagation))
        throw new ContainerError(
          'invalid',
          `invalid mount config for type "bind": invalid propagation mode: ${propagation}`,
        );
      return {
        ...bindMount(mount.Source, destination),
        readonly,
        recursive: !mount.BindOptions?.NonRecursive,
        makeSource: mount.BindOptions?.CreateMountpoint ?? false,
        ...(PROPAGATION.test(propagation) && { propagation }),
      };
    }
    case 'volume':
      if (mount.VolumeOptions?.Subpath)
        throw new ContainerError(
          'unsupported',
          'This engine cannot mount a part of a volume. Leave volume-subpath out.',
        );
      return { ...volume(mount.Source, destination, volumes), readonly, copy: !mount.VolumeOptions?.NoCopy };
    case 'tmpfs': {
      const { SizeBytes: size = 0, Mode: mode = 0 } = mount.TmpfsOptions ?? {};
      const options = [...(size > 0 ? [`size=${size}`] : []), ...(mode > 0 ? [`mode=${mode.toString(8)}`] : [])];
      return { ...tmpfs(destination, options), readonly };
    }
  }
}

function parseDestination(target: string): string {
  if (!target.startsWith('/'))
    throw new ContainerError('invalid', `invalid mount path: '${target}' mount path must be absolute`);
  const destination = path.posix.resolve(target);
  if (destination === '/') throw new ContainerError('invalid', `invalid specification: destination can't be '/'`);
  if (destination === '/proc' || destination.startsWith('/proc/'))
    throw new ContainerError('invalid', `"${destination}" cannot be mounted because it is inside /proc`);
  return destination;
}

function bindMount(source: string, destination: string): ContainerMount {
  return {
    type: 'bind',
    name: '',
    source: path.posix.resolve(source),
    destination,
    readonly: false,
    recursive: true,
    mode: '',
    anonymous: false,
    copy: false,
    makeSource: false,
    options: [],
  };
}

function volume(name: string, destination: string, volumes: string): ContainerMount {
  if (name !== '' && !VOLUME_NAME.test(name))
    throw new ContainerError(
      'invalid',
      `"${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. ` +
        'If you intended to pass a host directory, use absolute path',
    );
  const given = name || randomBytes(32).toString('hex');
  return {
    ...bindMount(path.join(volumes, given, '_data'), destination),
    type: 'volume',
    name: given,
    anonymous: name === '',
    copy: true,
    makeSource: true,
  };
}

const TMPFS_OPTION =
  /^(?:rw|ro|(?:no)?(?:suid|dev|exec|atime|diratime)|(?:str)?relatime|(?:size|nr_blocks|nr_inodes)=\d+[kKmMgG%]?|mode=[0-7]{1,4}|[ug]id=\d+)$/;

function tmpfs(target: string, asked: string[]): ContainerMount {
  const unknown = asked.find((option) => !TMPFS_OPTION.test(option));
  if (unknown) throw new ContainerError('invalid', `invalid tmpfs option ["${unknown}"]`);
  return {
    ...bindMount('/', parseDestination(target)),
    type: 'tmpfs',
    source: '',
    options: ['noexec', 'nosuid', 'nodev', ...asked],
  };
}

/**
 * What the container's root must be, so that a mount in it can receive, or send, what is mounted below it later.
 * @returns undefined if every mount is private.
 */
export function rootPropagation(mounts: ContainerMount[]): 'shared' | 'slave' | undefined {
  if (mounts.some(({ propagation }) => propagation?.endsWith('shared'))) return 'shared';
  return mounts.some(({ propagation }) => propagation !== undefined) ? 'slave' : undefined;
}

/**
 * Make the directories on the host that are to be made when they are missing.
 * @param owner of what is not the engine's own; the caller if undefined.
 * @throws ContainerError `invalid` for the others
 */
export function makeSources(mounts: ContainerMount[], owner?: { uid: number; gid: number }): void {
  for (const { type, source, makeSource } of mounts) {
    if (type === 'tmpfs' || fs.existsSync(source)) continue;
    if (!makeSource)
      throw new ContainerError(
        'invalid',
        `invalid mount config for type "bind": bind source path does not exist: ${source}`,
      );
    fs.mkdirSync(source, { recursive: true, mode: 0o755 });
    if (type === 'bind' && owner) fs.chownSync(source, owner.uid, owner.gid);
  }
}
