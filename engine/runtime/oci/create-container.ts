/** The story of `create`: from a bundle to a process that waits, ready to become the container's program. */

import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { pidfdOpen } from '#kernel/pidfd';
import { startTimeOf } from '#kernel/process-stat';
import { killUnlessGone } from '../cgroups/files.ts';
import { isFrozen } from '../cgroups/freezer.ts';
import { hostCgroups } from '../cgroups/host.ts';
import { checkCgroupsPath, releaseParents } from '../cgroups/parents.ts';
import type { Started, Streams } from '../launch.ts';
import { startReaper } from '../reaper.ts';
import { runUnwritable } from '../run-unwritable.ts';
import { startContainer } from '../start.ts';
import { readBundle } from './bundle.ts';
import { checkConsole, sendConsole } from './console-socket.ts';
import { checkContainerId } from './container-id.ts';
import { RuntimeError } from './error.ts';
import { type LogOptions, logDebug, logWarning } from './log.ts';
import { writePidFile } from './pid-file.ts';
import { type ContainerRecord, claimId, removeRecord, writeRecord } from './record.ts';
import { shortfallsOf } from './shortfalls.ts';
import { passedOver, specOf } from './spec-of.ts';
import { startInTwo } from './start-in-two.ts';
import { stateOf } from './state.ts';
import { START_FIFO, UNREADY_FIFO } from './status.ts';

export interface CreateOptions {
  id: string | undefined;
  /** Where this runtime keeps its state. */
  root: string;
  log: LogOptions;
  bundle: string;
  pidFile?: string;
  consoleSocket?: string;
  /** How many descriptors from 3 on the program inherits. */
  preserveFds: number;
  /** The caller waits for the container's end, and shows its terminal if it has one. */
  stays: boolean;
}

export interface Created {
  record: ContainerRecord;
  started: Started;
}

/** @throws RuntimeError or StartError; nothing of the container is left then. */
export async function createContainer(options: CreateOptions): Promise<Created> {
  const { root, log, consoleSocket, stays } = options;
  runUnwritable(options.preserveFds);
  const id = checkContainerId(options.id);
  const { path: bundle, config, rootfs } = readBundle(options.bundle);
  const terminal = config.process.terminal === true;
  checkConsole({ terminal, stays, consoleSocket });
  const spec = await specOf(config, { id, root, bundle, rootfs });
  const cgroupsPath = spec.linux.cgroupsPath!;
  refuseForeignCgroup(cgroupsPath);
  for (const sentence of [...shortfallsOf(config.process), ...passedOver(config.mounts)])
    logWarning(log, `config.json: ${sentence}`);
  const directory = claimId(root, id);
  const record: ContainerRecord = {
    id,
    bundle,
    rootfs,
    created: new Date().toISOString(),
    owner: process.getuid!(),
    cgroupsPath,
    config,
    creator: { pid: process.pid, startTime: startTimeOf(process.pid) },
  };
  let started: Started | undefined;
  try {
    writeRecord(root, record);
    const starter = { reaper: startReaper(), self: pidfdOpen(process.pid) };
    const parts = {
      hooks: config.hooks,
      bundle,
      rootfs,
      preserveFds: options.preserveFds,
      fifoPath: join(directory, UNREADY_FIFO),
      state: stateOf(record, 'creating'),
      onForked(pid: number, startTime: string) {
        record.init = { pid, startTime };
        logDebug(log, `container ${id}: its first process is ${pid}, in ${cgroupsPath}`);
        writeRecord(root, record);
      },
    };
    started = await startInTwo(parts, (held) =>
      startContainer(spec, terminal ? 'terminal' : inheritedStreams, starter, held),
    );
    if (started.master !== null && consoleSocket !== undefined) sendConsole(consoleSocket, started.master);
    if (options.pidFile !== undefined) writePidFile(options.pidFile, started.pid);
    renameSync(join(directory, UNREADY_FIFO), join(directory, START_FIFO));
    logDebug(log, `container ${id}: all is mounted, and it waits for its start`);
    return { record, started };
  } catch (error) {
    if (started) {
      killUnlessGone(started.pid);
      await started.ended;
      started.cgroup?.remove();
    }
    releaseParents(cgroupsPath);
    removeRecord(root, id);
    throw error;
  }
}

const inheritedStreams: Streams = [0, 1, 2];

/** What is in a cgroup is killed with its container, so a container cannot be put where somebody else is. */
function refuseForeignCgroup(cgroupsPath: string): void {
  try {
    checkCgroupsPath(cgroupsPath);
  } catch (error) {
    throw new RuntimeError(`config.json: linux.cgroupsPath: ${(error as Error).message}`);
  }
  if (isFrozen(cgroupsPath))
    throw new RuntimeError(
      `container's cgroup unexpectedly frozen: ${cgroupsPath}. What is started in it would wait for ever; thaw or remove it first.`,
    );
  const pids = hostCgroups().find(cgroupsPath)?.processes() ?? [];
  if (pids.length > 0)
    throw new RuntimeError(`container's cgroup is not empty: ${pids.length} process(es) found in ${cgroupsPath}`);
}
