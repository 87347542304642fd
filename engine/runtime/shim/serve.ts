/** The shim at work: it listens, starts what it is told to, and ends when nobody needs it any more. */

import { appendFileSync, chmodSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { PR_SET_CHILD_SUBREAPER, prctl } from '#kernel/credentials';
import { close, dup2, dupAbove, O_RDWR, open, setCloseOnExec, write } from '#kernel/descriptors';
import { pidfdOpen } from '#kernel/pidfd';
import { setProcessName } from '#kernel/process-name';
import { defaultCapabilities } from '../capabilities.ts';
import { idleParents } from '../cgroups/parents.ts';
import { startReaper } from '../reaper.ts';
import { seccompFilterFor } from '../seccomp/filter.ts';
import { exitRecords } from './exits.ts';
import { RequestError } from './failure.ts';
import { Processes } from './processes.ts';
import type { ShimMethods } from './protocol.ts';
import { rehearse } from './rehearsal.ts';
import { type Handlers, shimServer } from './server.ts';

/** A daemon that started a shim and died before it could connect leaves a shim that ends by itself. */
const FIRST_CONNECTION_MILLISECONDS = 30_000;

/** Never returns to the caller's purpose: the process is the shim from here on. */
export function serve(socketPath: string, runDirectory: string): void {
  setProcessName('skiff-shim');
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  mkdirSync(runDirectory, { recursive: true, mode: 0o700 });
  keepRunningOnMistakes(join(runDirectory, 'shim.log'));

  rehearse(runDirectory);
  const starter = { reaper: startReaper(), self: pidfdOpen(process.pid) };
  const parents = idleParents();
  const processes = new Processes(starter, exitRecords(runDirectory), {
    onExit(exited) {
      server.publish({ event: 'exit', ...exited });
      if (!processes.busy) parents.idle();
      endWhenIdle();
    },
    onOutOfMemory: (news) => server.publish({ event: 'oom', ...news }),
  });
  const handlers: { [M in keyof ShimMethods]: (params: ShimMethods[M]['params']) => unknown } = {
    hello: () => ({ pid: process.pid, ...processes.list() }),
    open: (params) => processes.open(params),
    start: (params) => {
      parents.used(params.spec.linux.cgroupsPath);
      return processes.start(params);
    },
    exec: (params) => processes.exec(params),
    signal: (params) => processes.signal(params),
    update: (params) => processes.update(params),
    resize: (params) => processes.resize(params),
    forget: (params) => processes.forget(params),
    shutdown: () => {
      if (processes.busy) throw new RequestError('conflict', 'A process is still running; end it before the shim.');
      // After the answer has gone out.
      setImmediate(end);
      return {};
    },
  };
  const server = shimServer(processes, handlers as Handlers, () => endWhenIdle());

  function endWhenIdle(): void {
    if (server.controls() === 0 && !processes.busy) end();
  }

  function end(): void {
    rmSync(socketPath, { force: true });
    parents.release();
    process.exit(0);
  }

  // The address of a unix socket has at most 107 bytes; from inside its directory any path is short.
  process.chdir(dirname(socketPath));
  removeIfSocket(socketPath);
  server.listen.listen(`./${basename(socketPath)}`, () => {
    chmodSync(socketPath, 0o600);
    process.chdir('/');
    const asker = dupAbove(1, 3);
    leaveStandardStreams();
    sayReady(asker);
    close(asker);
    setImmediate(makeUsualFilter);
    setTimeout(endWhenIdle, FIRST_CONNECTION_MILLISECONDS).unref();
  });
}

/** So that the first start finds it made. What is wrong with it, that start will say. */
function makeUsualFilter(): void {
  try {
    seccompFilterFor({ profile: 'default', capabilities: defaultCapabilities });
  } catch {
    // A machine or a kernel without filters runs containers that ask for none.
  }
}

function sayReady(asker: number): void {
  try {
    write(asker, `skiff-shim ${process.pid} ready\n`);
  } catch {
    // EPIPE: the process that started the shim has ended. Should nobody else come, it ends when its time to wait is over.
  }
}

/** A shim that was killed leaves its socket; the daemon's lock on the root sees to it that there is one shim only. */
function removeIfSocket(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isSocket()) rmSync(path);
}

/** A reader of them would wait for the shim's end, and what prints to them would find nobody there. */
function leaveStandardStreams(): void {
  const nowhere = open('/dev/null', O_RDWR);
  for (const fd of [0, 1, 2]) {
    dup2(nowhere, fd);
    setCloseOnExec(fd, true);
  }
  close(nowhere);
}

/** With the shim every container would end, so a mistake is written down and survived. */
function keepRunningOnMistakes(log: string): void {
  const note = (error: unknown) => {
    const text = error instanceof Error ? error.stack : String(error);
    try {
      appendFileSync(log, `${new Date().toISOString()} ${text}\n`);
    } catch {
      // The disk is full: nothing to be done about it here.
    }
  };
  process.on('uncaughtException', note);
  process.on('unhandledRejection', note);
}
