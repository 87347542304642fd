import type { Device, Mount } from './spec.ts';

/** What every container finds in /dev. config-linux.md, "Default Devices". */
const defaultDevices: Device[] = [
  { type: 'c', path: '/dev/null', major: 1, minor: 3 },
  { type: 'c', path: '/dev/zero', major: 1, minor: 5 },
  { type: 'c', path: '/dev/full', major: 1, minor: 7 },
  { type: 'c', path: '/dev/random', major: 1, minor: 8 },
  { type: 'c', path: '/dev/urandom', major: 1, minor: 9 },
  { type: 'c', path: '/dev/tty', major: 5, minor: 0 },
];

/** A device that is listed takes the place of a default one with the same path. */
export function withDefaultDevices(devices: Device[]): Device[] {
  return [...defaultDevices.filter(({ path }) => !devices.some((device) => device.path === path)), ...devices];
}

/** Whether /dev is a directory of the host's, in which nothing is to be made. */
export function bringsDevices(mounts: Mount[]): boolean {
  return mounts.some(
    ({ destination, options }) => /^\/dev\/*$/.test(destination) && options?.some((option) => /^r?bind$/.test(option)),
  );
}
