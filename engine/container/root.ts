import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { makePlaces } from '../image/places.ts';

/** Where the files of one container are. */
export interface ContainerPaths {
  dir: string;
  /** The record; a directory without it is a container half made or half removed. */
  record: string;
  log: string;
  hostname: string;
  hosts: string;
  resolvConf: string;
  /** The overlay's directory of changes and its scratch directory. */
  upper: string;
  work: string;
}

/** Everything one engine keeps lies under one directory, so that two engines never meet. */
export interface StateRoot {
  dir: string;
  /** Eight hexadecimal digits that stand for `dir` where a name must be short. */
  key: string;
  images: string;
  containers: string;
  volumes: string;
  networks: string;
  /** Of builds that run, each in a directory of its own. */
  builds: string;
  /** What `RUN --mount=type=cache` keeps from one build to the next. */
  cacheMounts: string;
  /** The lowest layer of every container: places for the mounts that all of them get. */
  places: string;
  /** What is removed but not deleted yet. */
  removed: string;
  run: string;
  /** Where each container mounts its root. One will do: none sees another's mounts, and for the host it stays empty. */
  merged: string;
  lock: string;
  /** Where the daemon listens unless told otherwise. */
  socket: string;
  shimSocket: string;
  /** Below each cgroup hierarchy, the parent of every container's cgroup. */
  cgroups: string;
}

/** `SKIFF_ROOT`, else /var/lib/skiff for root and $XDG_DATA_HOME/skiff for everyone else. */
export function defaultRootDirectory(env: NodeJS.ProcessEnv = process.env): string {
  if (env.SKIFF_ROOT) return path.resolve(env.SKIFF_ROOT);
  if (process.getuid?.() === 0) return '/var/lib/skiff';
  return path.join(env.XDG_DATA_HOME || path.join(os.homedir(), '.local/share'), 'skiff');
}

/**
 * Make the directories of a root where they are missing. Other users may pass through the root and its run directory
 * (a socket's own mode says who may use it) and see nothing else.
 * @throws the file system's error, e.g. when the root is on a read-only file system.
 */
export function openRoot(directory: string): StateRoot {
  fs.mkdirSync(directory, { recursive: true, mode: 0o711 });
  const dir = fs.realpathSync(directory);
  const key = createHash('sha256').update(dir).digest('hex').slice(0, 8);
  const root: StateRoot = {
    dir,
    key,
    images: path.join(dir, 'images'),
    containers: path.join(dir, 'containers'),
    volumes: path.join(dir, 'volumes'),
    networks: path.join(dir, 'networks'),
    builds: path.join(dir, 'builds'),
    cacheMounts: path.join(dir, 'build-mounts'),
    places: path.join(dir, 'places'),
    removed: path.join(dir, 'removed'),
    run: path.join(dir, 'run'),
    merged: path.join(dir, 'merged'),
    lock: path.join(dir, 'lock'),
    socket: path.join(dir, 'run', 'skiff.sock'),
    shimSocket: path.join(dir, 'run', 'shim.sock'),
    cgroups: `/skiff/${key}`,
  };
  fs.mkdirSync(root.run, { recursive: true, mode: 0o711 });
  for (const each of [root.images, root.containers, root.volumes, root.builds, root.cacheMounts, root.merged])
    fs.mkdirSync(each, { recursive: true, mode: 0o700 });
  fs.mkdirSync(root.places, { recursive: true, mode: 0o755 });
  makePlaces(root.places);
  return root;
}

export function containerPaths(root: StateRoot, id: string): ContainerPaths {
  const dir = path.join(root.containers, id);
  return {
    dir,
    record: path.join(dir, 'container.json'),
    log: path.join(dir, 'log.json'),
    hostname: path.join(dir, 'hostname'),
    hosts: path.join(dir, 'hosts'),
    resolvConf: path.join(dir, 'resolv.conf'),
    upper: path.join(dir, 'upper'),
    work: path.join(dir, 'work'),
  };
}
