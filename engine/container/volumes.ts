/**
 * Volumes: directories that outlive the containers they are mounted in. A volume is `NAME/_data` among the volumes of
 * the root; `NAME/volume.json` beside it keeps what was said when it was made with a request of its own.
 */

import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import type { Container } from './container.ts';
import type { Engine } from './engine.ts';
import { ContainerError } from './errors.ts';
import { newId } from './identity.ts';
import { formatTime } from './time.ts';

const VolumeFile = z.object({
  createdAt: z.string(),
  labels: z.record(z.string(), z.string()),
});
type VolumeFile = z.infer<typeof VolumeFile>;

export interface Volume extends VolumeFile {
  name: string;
  /** Where its files are on the host. */
  mountpoint: string;
  /** Nobody gave it a name: it was made for one container. */
  anonymous: boolean;
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
/** A name is one of a file. NAME_MAX, limits.h. */
const MOST_NAME = 255;
const ANONYMOUS = /^[0-9a-f]{64}$/;
/** The label by which Docker knows a volume that nobody gave a name to. */
export const ANONYMOUS_LABEL = 'com.docker.volume.anonymous';

/** Sorted by name. */
export function listVolumes(engine: Engine): Volume[] {
  return fs
    .readdirSync(engine.root.volumes)
    .filter((name) => NAME.test(name))
    .sort()
    .flatMap((name) => readVolume(engine, name) ?? []);
}

/** @throws ContainerError `not-found` */
export function findVolume(engine: Engine, name: string): Volume {
  const volume = NAME.test(name) ? readVolume(engine, name) : undefined;
  if (!volume) throw new ContainerError('not-found', `get ${name.slice(0, 200)}: no such volume`);
  return volume;
}

export interface VolumeRequest {
  /** Invented when empty. */
  name: string;
  labels: Record<string, string>;
  /** Whether it was made for one container, and has an invented name; so it is if the name is empty. */
  anonymous?: boolean;
}

/** The volume of that name, made if there is none. @throws ContainerError `invalid` */
export function createVolume(engine: Engine, { name, labels, anonymous = name === '' }: VolumeRequest): Volume {
  if (name.length > MOST_NAME)
    throw new ContainerError(
      'invalid',
      `create ${name.slice(0, 100)}…: a volume name has at most ${MOST_NAME} characters`,
    );
  if (name !== '' && !NAME.test(name))
    throw new ContainerError(
      'invalid',
      `create ${name.slice(0, 100)}: "${name.slice(0, 100)}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    );
  const given = name || newId();
  const directory = path.join(engine.root.volumes, given);
  const existing = readVolume(engine, given);
  // One that was filled for a container before it was recorded is recorded now.
  if (existing && fs.existsSync(path.join(directory, 'volume.json'))) return existing;
  fs.mkdirSync(path.join(directory, '_data'), { recursive: true, mode: 0o755 });
  const file: VolumeFile = {
    createdAt: formatTime(BigInt(Date.now()) * 1_000_000n),
    labels: { ...labels, ...(anonymous && { [ANONYMOUS_LABEL]: '' }) },
  };
  fs.writeFileSync(path.join(directory, 'volume.json'), JSON.stringify(file));
  engine.events.emit('volume', 'create', given, { driver: 'local' });
  return findVolume(engine, given);
}

/** @throws ContainerError `not-found`, `conflict` while a container has it */
export function removeVolume(engine: Engine, name: string): void {
  const volume = findVolume(engine, name);
  const users = usersOfVolume(engine, volume.name);
  if (users.length > 0)
    throw new ContainerError('conflict', `remove ${volume.name}: volume is in use - [${users.join(', ')}]`);
  engine.trash.discard(path.join(engine.root.volumes, volume.name));
  engine.events.emit('volume', 'destroy', volume.name, { driver: 'local' });
}

/** The ids of the containers, running or not, that it is mounted in. */
export function usersOfVolume(engine: Engine, name: string): string[] {
  return engine.containers
    .all()
    .filter(({ record }) => record.mounts.some((mount) => mount.type === 'volume' && mount.name === name))
    .map(({ id }) => id);
}

/** Tell that the volumes of a container are mounted or unmounted. Docker's documentation, "docker system events". */
export function emitVolumeEvents(engine: Engine, { record }: Container, action: 'mount' | 'unmount'): void {
  for (const { type, name, destination, readonly, propagation } of record.mounts) {
    if (type !== 'volume') continue;
    engine.events.emit('volume', action, name, {
      container: record.id,
      driver: 'local',
      ...(action === 'mount' && {
        destination,
        'read/write': String(!readonly),
        propagation: propagation ?? '',
      }),
    });
  }
}

function readVolume(engine: Engine, name: string): Volume | undefined {
  const mountpoint = path.join(engine.root.volumes, name, '_data');
  const stat = fs.statSync(mountpoint, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) return undefined;
  const file = readFile(path.join(engine.root.volumes, name, 'volume.json'));
  const anonymous = file ? ANONYMOUS_LABEL in file.labels : ANONYMOUS.test(name);
  return {
    name,
    mountpoint,
    anonymous,
    createdAt: file?.createdAt ?? formatTime(BigInt(Math.floor(stat.birthtimeMs)) * 1_000_000n),
    labels: file?.labels ?? (anonymous ? { [ANONYMOUS_LABEL]: '' } : {}),
  };
}

function readFile(file: string): VolumeFile | undefined {
  try {
    return VolumeFile.parse(JSON.parse(fs.readFileSync(file, 'utf8')));
  } catch {
    return undefined;
  }
}
