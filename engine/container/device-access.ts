import { inUserNamespace } from '#kernel/user-namespace';
import { deviceRules } from '../runtime/cgroups/device-rules.ts';
import type { DeviceRule } from '../runtime/spec.ts';
import type { HostConfig } from './config.ts';
import { hostDevice } from './devices.ts';
import { ContainerError } from './errors.ts';

/**
 * Which devices a container may use beyond what goes without saying: those of --device with the access that was asked
 * for, then --device-cgroup-rule, later ones deciding. Undefined when all it asks for is devices with every access.
 * @throws ContainerError `invalid` in Docker's words, `unsupported` in a user namespace, where nothing filters devices
 */
export function deviceAccess(host: HostConfig): DeviceRule[] | undefined {
  const rules = host.DeviceCgroupRules.map(parseRule);
  for (const { CgroupPermissions: access } of host.Devices)
    if (!/^[rwm]*$/.test(access)) throw new ContainerError('invalid', `invalid device mode: ${access.slice(0, 10)}`);
  if (host.Privileged) return [{ allow: true }];
  const isPlain = host.Devices.every(({ CgroupPermissions }) => hasEvery(CgroupPermissions));
  if (isPlain && rules.length === 0) return undefined;
  if (inUserNamespace())
    throw new ContainerError(
      'unsupported',
      'Without root the kernel filters no devices: those of --device can be used as their owner and mode say. Leave --device-cgroup-rule and the access of --device out.',
    );
  const given = host.Devices.map(({ PathOnHost, PathInContainer, CgroupPermissions }): DeviceRule => {
    const { type, major, minor } = hostDevice(PathOnHost, PathInContainer || PathOnHost);
    return { allow: true, type: type === 'b' ? 'b' : 'c', major, minor, access: CgroupPermissions || 'rwm' };
  });
  return [...deviceRules(undefined, []), ...given, ...rules];
}

const hasEvery = (access: string) => access === '' || new Set(access).size === 3;

/** `c 5:* rwm`. Kernel documentation, cgroup-v1/devices. */
function parseRule(text: string): DeviceRule {
  const match = /^([abc]) (\d{1,7}|\*):(\d{1,7}|\*) ([rwm]{1,3})$/.exec(text);
  if (!match) throw new ContainerError('invalid', `invalid device cgroup rule format: '${text.slice(0, 60)}'`);
  const [, type, major, minor, access] = match as unknown as [string, 'a' | 'b' | 'c', string, string, string];
  const number = (part: string) => (part === '*' ? -1 : Number(part));
  return { allow: true, type, major: number(major), minor: number(minor), access };
}
