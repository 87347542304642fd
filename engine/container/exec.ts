import { EventEmitter, once } from 'node:events';
import type { Socket } from 'node:net';
import type { Exited } from '../runtime/shim/protocol.ts';
import { type Container, notRunning, requireRunning } from './container.ts';
import { hasEnded } from './ending.ts';
import { type Engine, emitContainerEvent } from './engine.ts';
import { ContainerError } from './errors.ts';
import type { Exec, ExecRequest } from './exec-record.ts';
import { newId } from './identity.ts';
import { ShimGone } from './shim-client.ts';
import { buildProcess } from './spec.ts';
import { startFailure } from './start-failure.ts';

/** How long one can ask how an exec ended, in milliseconds. */
const REMEMBERED = 5 * 60_000;

/** @throws ContainerError `conflict` when the container does not run, `invalid` when there is nothing to run */
export function createExec(engine: Engine, container: Container, request: ExecRequest): Exec {
  requireMoving(container);
  if (request.args.length === 0) throw new ContainerError('invalid', 'No exec command specified');
  const exec: Exec = {
    id: newId(),
    container,
    request,
    state: 'created',
    pid: 0,
    exitCode: null,
    changes: new EventEmitter(),
  };
  processOf(exec);
  engine.execs.set(exec.id, exec);
  container.execs.add(exec.id);
  emitContainerEvent(engine, container, `exec_create: ${request.args.join(' ')}`, { execID: exec.id });
  return exec;
}

/** @throws ContainerError `not-found` */
export function findExec(engine: Engine, id: string): Exec {
  const exec = engine.execs.get(id);
  if (!exec) throw new ContainerError('not-found', `No such exec instance: ${id.slice(0, 80)}`);
  return exec;
}

/** Make its streams, so that they can be attached to before it runs. @throws ContainerError `conflict` if it was started */
export async function openExec(engine: Engine, exec: Exec, attachStdin: boolean): Promise<void> {
  requireMoving(exec.container);
  if (exec.state !== 'created')
    throw new ContainerError('conflict', `exec ${exec.id.slice(0, 12)} has been started already`);
  exec.state = 'running';
  await engine.shim.request('open', {
    key: execKey(exec),
    stdio: { terminal: exec.request.tty, stdin: attachStdin, stdinOnce: true },
  });
}

/** A connection that carries its streams. It comes before `startExec`, so that nothing is missed. */
export function attachToExec(engine: Engine, exec: Exec, framed: boolean): Promise<Socket> {
  const { attachStdin, attachStdout, attachStderr } = exec.request;
  return engine.shim.attach({
    role: 'attach',
    key: execKey(exec),
    stdin: attachStdin,
    stdout: attachStdout,
    stderr: attachStderr,
    framed,
  });
}

/** Run it in streams that are open. What goes wrong is also its end. @throws ContainerError in Docker's words */
export async function startExec(engine: Engine, exec: Exec): Promise<void> {
  const { args } = exec.request;
  try {
    const { pid } = await exec.container.joins.pass(() => {
      requireMoving(exec.container);
      return engine.shim.request('exec', {
        container: exec.container.id,
        exec: exec.id,
        process: processOf(exec),
      });
    });
    exec.pid = pid;
  } catch (cause) {
    if (engine.shim.connected) void engine.shim.request('forget', { key: execKey(exec) }).catch(() => {});
    // It has ended, or stands still, and the process could not join it any more.
    if (cause instanceof ContainerError || cause instanceof ShimGone || hasEnded(exec.container)) {
      end(engine, exec, 126);
      if (cause instanceof ContainerError) throw cause;
      throw notRunning(exec.container.id);
    }
    const { exitCode, error } = startFailure(cause, args[0] ?? '');
    // As Docker has it: a process that could not be started, for whatever reason but that there is no such program.
    end(engine, exec, exitCode === 125 ? 126 : exitCode);
    throw error;
  }
  emitContainerEvent(engine, exec.container, `exec_start: ${args.join(' ')}`, { execID: exec.id });
}

/** Resolves when it is over. */
export async function untilExecEnds(exec: Exec): Promise<void> {
  if (exec.state !== 'exited') await once(exec.changes, 'exit');
}

export function execKey(exec: Exec): { container: string; exec: string } {
  return { container: exec.container.id, exec: exec.id };
}

/** The shim tells that it has ended. */
export function finishExec(engine: Engine, id: string, { key, status }: Exited): void {
  const exec = engine.execs.get(id);
  if (exec && exec.state !== 'exited') {
    end(engine, exec, status.exitCode);
    emitContainerEvent(engine, exec.container, 'exec_die', { execID: id, exitCode: String(status.exitCode) });
  }
  if (engine.shim.connected) void engine.shim.request('forget', { key }).catch(() => {});
}

function end(engine: Engine, exec: Exec, exitCode: number): void {
  exec.state = 'exited';
  exec.exitCode = exitCode;
  exec.pid = 0;
  exec.changes.emit('exit');
  setTimeout(() => {
    engine.execs.delete(exec.id);
    exec.container.execs.delete(exec.id);
  }, REMEMBERED).unref();
}

function requireMoving(container: Container): void {
  requireRunning(container);
  if (container.paused)
    throw new ContainerError('conflict', `Container ${container.id} is paused, unpause the container before exec`);
}

function processOf({ container, request }: Exec) {
  const { config, hostConfig } = container.record;
  return buildProcess(container.record, {
    args: request.args,
    env: request.env,
    cwd: request.cwd || config.WorkingDir,
    user: request.user || config.User,
    terminal: request.tty,
    privileged: request.privileged || hostConfig.Privileged,
    consoleSize: request.consoleSize,
  });
}
