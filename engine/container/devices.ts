import fs from 'node:fs';
import path from 'node:path';
import type { Device } from '../runtime/spec.ts';
import { ContainerError } from './errors.ts';

/** config-linux.md, "Default Devices". */
export const DEFAULT_DEVICES: Device[] = (
  [
    ['null', 1, 3],
    ['zero', 1, 5],
    ['full', 1, 7],
    ['random', 1, 8],
    ['urandom', 1, 9],
    ['tty', 5, 0],
  ] as const
).map(([name, major, minor]) => ({ type: 'c', path: `/dev/${name}`, major, minor, fileMode: 0o666, uid: 0, gid: 0 }));

/** The node at `onHost` as a device at `inContainer`. @throws ContainerError `invalid` when there is none. */
export function hostDevice(onHost: string, inContainer: string): Device {
  if (!inContainer.startsWith('/dev/') || inContainer.split('/').includes('..'))
    throw new ContainerError('invalid', `A device has to be below /dev, and ${inContainer} is not.`);
  const stat = fs.statSync(onHost, { throwIfNoEntry: false });
  if (!stat?.isCharacterDevice() && !stat?.isBlockDevice())
    throw new ContainerError(
      'invalid',
      `error gathering device information while adding custom device "${onHost}": not a device node`,
    );
  return {
    type: stat.isBlockDevice() ? 'b' : 'c',
    path: inContainer,
    ...splitDeviceNumber(stat.rdev),
    fileMode: stat.mode & 0o777,
    uid: stat.uid,
    gid: stat.gid,
  };
}

/** Directories of /dev that every container has its own of. */
const OWN = new Set(['/dev/pts', '/dev/shm', '/dev/mqueue', '/dev/fd', '/dev/console', '/dev/hugepages']);

/** Every device node of the host, for a privileged container. */
export function allHostDevices(directory = '/dev'): Device[] {
  return fs.readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(directory, entry.name);
    if (OWN.has(file)) return [];
    if (entry.isDirectory()) return allHostDevices(file);
    return entry.isCharacterDevice() || entry.isBlockDevice() ? [hostDevice(file, file)] : [];
  });
}

/** The block device at a path. @throws ContainerError `invalid` when there is none. */
export function blockDevice(file: string): { major: number; minor: number } {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (!stat?.isBlockDevice())
    throw new ContainerError(
      'invalid',
      `${file.slice(0, 200)} is not a block device of this host, whose I/O can be limited`,
    );
  return splitDeviceNumber(stat.rdev);
}

/** makedev(3): how the two numbers lie in st_rdev. */
function splitDeviceNumber(device: number): { major: number; minor: number } {
  const number = BigInt(device);
  return {
    major: Number(((number >> 8n) & 0xfffn) | ((number >> 32n) & 0xfffff000n)),
    minor: Number((number & 0xffn) | ((number >> 12n) & 0xffffff00n)),
  };
}
