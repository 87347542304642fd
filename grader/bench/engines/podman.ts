/** Podman, as the service that answers Docker's API, with a store of its own. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { which } from '../../vm/tools.ts';
import { EngineApi } from './api.ts';
import { cgroupParent, removeCgroupParent } from './cgroup-parent.ts';
import { unmountBelow } from './mounts.ts';
import type { OtherEngine } from './other-engine.ts';
import { endAll, pidsNaming, run, startServer, stop } from './process.ts';

/** Limits within those of a host that may not raise them. containers.conf(5). */
const CONFIGURATION = '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n';

/** @throws Error that says why there is none. */
export async function startPodman(directory: string): Promise<OtherEngine> {
  const program = which('podman');
  if (program === undefined) throw new Error('podman is not installed');
  const runtime = which('runc');
  const home = join(directory, 'podman');
  mkdirSync(home);
  const socket = join(home, 'podman.sock');
  const conf = join(home, 'containers.conf');
  writeFileSync(conf, CONFIGURATION);
  const env = { ...process.env, CONTAINERS_CONF: conf };
  const places = ['--root', join(home, 'root'), '--runroot', join(home, 'run'), '--tmpdir', join(home, 'tmp')];
  const options = [...places, '--cgroup-manager', 'cgroupfs', ...(runtime ? ['--runtime', runtime] : [])];
  const service = await startServer(
    program,
    [...options, 'system', 'service', '--time', '0', `unix://${socket}`],
    socket,
    env,
  );
  const cgroup = cgroupParent('podman');
  const api = new EngineApi(socket, { CgroupParent: cgroup });
  return {
    name: 'podman',
    api,
    pids: () => [service.pid!],
    stop: async () => {
      api.close();
      await stop(service);
      // Its store is a mount of its own, which only podman takes down.
      await run(program, [...options, 'system', 'reset', '--force'], env).catch(() => {});
      // The monitor of a command that exec ran stays for five minutes, in case somebody asks how it ended.
      await endAll(() => pidsNaming(home));
      await unmountBelow(home);
      removeCgroupParent(cgroup);
    },
  };
}
