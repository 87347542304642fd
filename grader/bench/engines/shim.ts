/** Our runtime alone: the shim, asked for containers of a bundle as the daemon asks it, without images, records and HTTP. */

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ShimClient } from '../../../engine/container/shim-client.ts';
import { readBundle } from '../../../engine/runtime/oci/bundle.ts';
import { specOf } from '../../../engine/runtime/oci/spec-of.ts';
import type { Exited } from '../../../engine/runtime/shim/protocol.ts';
import { cgroupParent, removeCgroupParent } from './cgroup-parent.ts';

const PROGRAM = resolve(import.meta.dirname, '../../../.build/default/shim.cjs');
/** Milliseconds of a clock tick in /proc/PID/stat. */
const TICK = 10;

export interface Shim {
  /** Start the bundle's program in a container of its own, wait for its end and forget it. */
  runTrue: (id: string) => Promise<void>;
  /** Milliseconds of CPU so far, of the shim and of all containers that have ended: in programs, and in the kernel. */
  cpu: () => { user: number; system: number };
  stop: () => Promise<void>;
}

/** @param bundle a directory with the `config.json` that the other runtime gets. @param directory empty. */
export async function startShim(bundle: string, directory: string): Promise<Shim> {
  const cgroup = cgroupParent('shim');
  const client = new ShimClient({ program: PROGRAM, socket: join(directory, 'shim.sock'), runDirectory: directory });
  const { config, path, rootfs } = readBundle(bundle);
  const spec = await specOf(config, { id: 'bench', root: directory, bundle: path, rootfs });
  const waiting = new Map<string, (exited: Exited) => void>();
  client.on('exit', (exited) => waiting.get(exited.key.container)?.(exited));
  const { pid } = await client.request('hello', {});
  return {
    runTrue: async (id) => {
      const key = { container: id };
      const ended = new Promise<Exited>((done) => waiting.set(id, done));
      await client.request('open', { key, stdio: { terminal: false, stdin: false, stdinOnce: false } });
      const linux = { ...spec.linux, cgroupsPath: `${cgroup}/${id}` };
      await client.request('start', { container: id, spec: { ...spec, linux } });
      const { status } = await ended;
      waiting.delete(id);
      await client.request('forget', { key });
      if (status.exitCode !== 0) throw new Error(`true ended with ${status.exitCode}`);
    },
    cpu: () => {
      const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
      const fields = text
        .slice(text.lastIndexOf(')') + 2)
        .split(' ')
        .map(Number);
      // utime, stime, cutime, cstime: fields 14 to 17 of proc_pid_stat(5).
      const [user = 0, system = 0, children = 0, childrenSystem = 0] = fields.slice(11, 15);
      return { user: (user + children) * TICK, system: (system + childrenSystem) * TICK };
    },
    stop: async () => {
      await client.shutdown();
      removeCgroupParent(cgroup);
    },
  };
}
