/** The switches that distributions have put in front of user namespaces, and what each of them costs or how to turn it. */

import fs from 'node:fs';

/** @param said what unshare(1) wrote. */
export function whyNoUserNamespace(said: string, setting = kernelSetting): string {
  return (
    `This user cannot have a user namespace, which containers without root need${said === '' ? '' : ` (${said})`}. ` +
    `${wayOut(setting)} Or run the command with sudo.`
  );
}

function wayOut(setting: (name: string) => string | undefined): string {
  if (setting('kernel/apparmor_restrict_unprivileged_userns') === '1')
    return 'AppArmor restricts them (Ubuntu 23.10 and newer): sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0.';
  if (setting('kernel/unprivileged_userns_clone') === '0')
    return 'This kernel has them switched off: sudo sysctl -w kernel.unprivileged_userns_clone=1.';
  if (setting('user/max_user_namespaces') === '0')
    return 'This kernel allows none: sudo sysctl -w user.max_user_namespaces=15000.';
  return 'In a container: start that one with --privileged, or with --security-opt seccomp=unconfined.';
}

function kernelSetting(name: string): string | undefined {
  try {
    return fs.readFileSync(`/proc/sys/${name}`, 'utf8').trim();
  } catch {
    return undefined;
  }
}
