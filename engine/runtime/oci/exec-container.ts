/** The story of `exec`: another process in a container that runs. */

import { pidfdOpen } from '#kernel/pidfd';
import { hostCgroups } from '../cgroups/host.ts';
import { execInContainer } from '../exec-in-container.ts';
import type { Started } from '../launch.ts';
import { startReaper } from '../reaper.ts';
import { seccompFilterFor } from '../seccomp/filter.ts';
import { outliveParent, readyProgram } from './child.ts';
import type { ConfigProcess } from './config-document.ts';
import { checkConsole, sendConsole } from './console-socket.ts';
import { RuntimeError } from './error.ts';
import { type LogOptions, logWarning } from './log.ts';
import { writePidFile } from './pid-file.ts';
import type { ContainerRecord } from './record.ts';
import { shortfallsOf } from './shortfalls.ts';
import { processOf, profileOf } from './spec-of.ts';
import { statusOf } from './status.ts';

export interface ExecOptions {
  root: string;
  log: LogOptions;
  process: ConfigProcess;
  pidFile?: string;
  consoleSocket?: string;
  preserveFds: number;
  /** As for `create`. */
  stays: boolean;
}

/** @throws RuntimeError or StartError; nothing of the process is left then. */
export async function execInRecorded(record: ContainerRecord, options: ExecOptions): Promise<Started> {
  const { root, log, process: wanted, preserveFds, consoleSocket } = options;
  const terminal = wanted.terminal === true;
  checkConsole({ terminal, stays: options.stays, consoleSocket });
  const status = statusOf(root, record);
  if (status === 'stopped' || status === 'creating') throw new RuntimeError(`cannot exec in a ${status} container`);
  if (status === 'paused') throw new RuntimeError('cannot exec in a paused container (resume it first)');
  const { init, cgroupsPath, config } = record;
  for (const sentence of shortfallsOf(wanted)) logWarning(log, sentence);
  const profile = (await profileOf(config.linux.seccomp)) ?? 'unconfined';
  const started = await execInContainer(
    {
      pid: init!.pid,
      cgroup: hostCgroups().find(cgroupsPath),
      seccomp: seccompFilterFor({ profile, capabilities: wanted.capabilities?.bounding ?? [] }),
    },
    processOf(wanted),
    terminal ? 'terminal' : [0, 1, 2],
    { reaper: startReaper(), self: pidfdOpen(process.pid) },
    {
      beforeProgram(program) {
        readyProgram(program, preserveFds);
        outliveParent();
      },
    },
  );
  if (started.master !== null && consoleSocket !== undefined) sendConsole(consoleSocket, started.master);
  if (options.pidFile !== undefined) writePidFile(options.pidFile, started.pid);
  return started;
}
