/** Docker's own daemon: one for this run alone, whatever else runs on the host, so that no images or containers of others are touched. */

import type { ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { which } from '../../vm/tools.ts';
import { EngineApi } from './api.ts';
import { cgroupParent, removeCgroupParent } from './cgroup-parent.ts';
import { unmountBelow } from './mounts.ts';
import type { OtherEngine } from './other-engine.ts';
import { endAll, pidsNaming, startServer, stop } from './process.ts';

/** @throws Error that says why there is none. */
export async function startDockerd(directory: string): Promise<OtherEngine> {
  const program = which('dockerd');
  if (program === undefined) throw new Error('dockerd is not installed (Debian: docker.io)');
  const home = join(directory, 'dockerd');
  mkdirSync(home);
  const socket = join(home, 'docker.sock');
  const places = ['--data-root', join(home, 'data'), '--exec-root', join(home, 'exec'), '--pidfile', join(home, 'pid')];
  // Containers without a network need neither bridge nor rules, and so none is left behind.
  const network = ['--bridge', 'none', '--iptables=false', '--ip-forward=false', '--ip-masq=false'];
  const cgroup = cgroupParent('dockerd');
  const options = [...places, ...network, '--cgroup-parent', cgroup];
  const cleanUp = async (): Promise<void> => {
    await endAll(() => pidsNaming(home));
    await unmountBelow(home);
    removeCgroupParent(cgroup);
  };
  const api = new EngineApi(socket);
  let daemon: ChildProcess;
  try {
    daemon = await startServer(program, ['-H', `unix://${socket}`, ...options], socket);
    await api.ping();
  } catch (error) {
    await cleanUp();
    throw error;
  }
  return {
    name: 'dockerd',
    api,
    // dockerd, its containerd and the shims all name the exec root.
    pids: () => [...new Set([daemon.pid!, ...pidsNaming(home)])],
    stop: async () => {
      await api.removeAll().catch(() => {});
      api.close();
      await stop(daemon);
      await cleanUp();
    },
  };
}
