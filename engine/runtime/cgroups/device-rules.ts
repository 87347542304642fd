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

/**
 * The rules in the order they apply, the last that fits decides. Without rules of its own a container has the usual
 * devices and those it was given. A rule of type `a` is for everything there is; what is for less has type `b` or `c`.
 * @throws Error for an access that is not of `r`, `w` and `m`.
 */
export function deviceRules(rules: DeviceRule[] | undefined, devices: Device[]): DeviceRule[] {
  if (rules) return rules.flatMap(plain);
  const given = devices
    .filter(({ type }) => type !== 'p')
    .map(({ type, major, minor }): DeviceRule => {
      return { allow: true, type: type === 'b' ? 'b' : 'c', major, minor, access: 'rwm' };
    });
  return [{ allow: false }, ...alwaysAllowed, ...given];
}

/** v1 takes an `a` with numbers or a part of the accesses for all of everything. A negative number is any, as runc has it. */
function plain(rule: DeviceRule): DeviceRule[] {
  const { allow, type = 'a', access = 'rwm' } = rule;
  if (!/^[rwm]*$/.test(access))
    throw new Error(
      `A device rule’s access is made of r, w and m, and not "${access}"; correct linux.resources.devices.`,
    );
  const [major, minor] = [rule.major, rule.minor].map((number) =>
    number === undefined || number < 0 ? undefined : number,
  );
  const isWhole = major === undefined && minor === undefined && new Set(access).size === 3;
  if (type === 'a' && isWhole) return [{ allow }];
  return (type === 'a' ? (['b', 'c'] as const) : [type]).map((each) => ({ allow, type: each, major, minor, access }));
}

/** Whether what comes before the last of these rules, and they themselves, change nothing. */
export function allowsEverything(rules: DeviceRule[]): boolean {
  const last = rules.at(-1);
  return last?.allow === true && (last.type ?? 'a') === 'a';
}

/** A rule as devices.allow and devices.deny take it. Kernel documentation, cgroup-v1/devices. */
export function formatRule({ type = 'a', major, minor, access = 'rwm' }: DeviceRule): string {
  return type === 'a' ? 'a' : `${type} ${major ?? '*'}:${minor ?? '*'} ${access}`;
}
