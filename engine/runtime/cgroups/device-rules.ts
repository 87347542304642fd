/** Which devices a container may use, or make with mknod. config-linux.md, "Allowed Device list". */

import type { Device, DeviceRule } from '../spec.ts';

/** What every container may use whatever else it may not: making nodes is harmless, using them is not. */
const alwaysAllowed: DeviceRule[] = [
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' }, // null
  { allow: true, type: 'c', major: 1, minor: 5, access: 'rwm' }, // zero
  { allow: true, type: 'c', major: 1, minor: 7, access: 'rwm' }, // full
  { allow: true, type: 'c', major: 1, minor: 8, access: 'rwm' }, // random
  { allow: true, type: 'c', major: 1, minor: 9, access: 'rwm' }, // urandom
  { allow: true, type: 'c', major: 5, minor: 0, access: 'rwm' }, // tty
  { allow: true, type: 'c', major: 5, minor: 1, access: 'rwm' }, // console
  { allow: true, type: 'c', major: 5, minor: 2, access: 'rwm' }, // ptmx
  { allow: true, type: 'c', major: 136, access: 'rwm' }, // pts
];

/** The rules in the order they apply, the last that fits decides. Without rules of its own a container has the usual devices and those it was given. */
export function deviceRules(rules: DeviceRule[] | undefined, devices: Device[]): DeviceRule[] {
  if (rules) return rules;
  const given = devices
    .filter(({ type }) => type !== 'p')
    .map(({ type, major, minor }): DeviceRule => {
      return { allow: true, type: type === 'b' ? 'b' : 'c', major, minor, access: 'rwm' };
    });
  return [{ allow: false }, ...alwaysAllowed, ...given];
}

/** A rule as devices.allow and devices.deny take it. Kernel documentation, cgroup-v1/devices. */
export function formatRule({ type = 'a', major, minor, access = 'rwm' }: DeviceRule): string {
  return type === 'a' ? 'a' : `${type} ${major ?? '*'}:${minor ?? '*'} ${access}`;
}
