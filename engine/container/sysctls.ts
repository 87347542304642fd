import fs from 'node:fs';
import type { HostConfig } from './config.ts';
import { ContainerError } from './errors.ts';

/** Kernel parameters that each IPC namespace has of its own. ipc_namespaces(7), sysctl documentation, "kernel". */
const OF_IPC = new Set([
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.sem',
  'kernel.shm_rmid_forced',
  'kernel.shmall',
  'kernel.shmmax',
  'kernel.shmmni',
]);

/**
 * Refuse kernel parameters that would be set for the host.
 * @throws ContainerError `invalid`
 */
export function checkSysctls({ Sysctls, IpcMode, NetworkMode }: HostConfig): void {
  for (const name of Object.keys(Sysctls)) {
    const isOfIpc = OF_IPC.has(name) || name.startsWith('fs.mqueue.');
    const isOfNetwork = name.startsWith('net.');
    if (!/^[\w-]+(\.[\w-]+)+$/.test(name) || (!isOfIpc && !isOfNetwork))
      throw new ContainerError(
        'invalid',
        `sysctl '${name.slice(0, 80)}' is not allowed: it is not of a namespace but of the host.`,
      );
    if ((isOfIpc && IpcMode === 'host') || (isOfNetwork && NetworkMode === 'host'))
      throw new ContainerError(
        'invalid',
        `sysctl '${name}' is not allowed: the container shares that namespace with the host.`,
      );
  }
}

/**
 * What is set in a container with a network namespace of its own unless it is asked for otherwise, as Docker has it: any
 * port may be listened at, and any group may use the sockets that ping(8) needs; neither lets a program out of that
 * namespace. @param inUserNamespace the container's ids are mapped: the range of groups would have to be within them.
 */
export function defaultSysctls(networkMode: string, inUserNamespace: boolean): Record<string, string> {
  if (networkMode === 'host') return {};
  return Object.fromEntries(
    [
      ['net.ipv4.ip_unprivileged_port_start', '0'] as const,
      ...(inUserNamespace ? [] : [['net.ipv4.ping_group_range', '0 2147483647'] as const]),
    ].filter(([name]) => fs.existsSync(`/proc/sys/${name.replaceAll('.', '/')}`)),
  );
}
