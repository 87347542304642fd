import * as z from 'zod';
import {
  attachToExec,
  createExec,
  execKey,
  findExec,
  openExec,
  startExec,
  untilExecEnds,
} from '../../container/exec.ts';
import type { Exec } from '../../container/exec-record.ts';
import { ApiError } from '../api-error.ts';
import type { Call } from '../call.ts';
import { parseDetachKeys } from '../detach-keys.ts';
import { joinStreams } from '../join-streams.ts';
import { frame, streamType } from '../raw-stream.ts';
import { consoleSize, flag, string, strings } from '../schema.ts';
import { resizeTerminal } from './resize.ts';

const ExecConfig = z.object({
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  DetachKeys: string,
  Tty: flag,
  Env: strings,
  Cmd: strings,
  Privileged: flag,
  User: string,
  WorkingDir: string,
  ConsoleSize: consoleSize,
});

/** `POST /containers/{id}/exec` */
export async function createExecRoute(call: Call): Promise<void> {
  const body = await call.body(ExecConfig, 'large');
  parseDetachKeys(body.DetachKeys);
  const exec = createExec(call.engine, call.engine.containers.find(call.parameter('id')), {
    args: body.Cmd,
    env: body.Env,
    cwd: body.WorkingDir,
    user: body.User,
    tty: body.Tty,
    privileged: body.Privileged,
    attachStdin: body.AttachStdin,
    attachStdout: body.AttachStdout,
    attachStderr: body.AttachStderr,
    detachKeys: body.DetachKeys,
    consoleSize: body.ConsoleSize,
  });
  call.send(201, { Id: exec.id });
}

const ExecStartConfig = z.object({ Detach: flag, Tty: flag, ConsoleSize: consoleSize });

/** `POST /exec/{id}/start` */
export async function startExecRoute(call: Call): Promise<void> {
  const { engine } = call;
  const body = await call.body(ExecStartConfig);
  const exec = findExec(engine, call.parameter('id'));
  if (body.ConsoleSize[0] > 0) exec.request.consoleSize = body.ConsoleSize;
  if (body.Detach) {
    await openExec(engine, exec, false);
    await startExec(engine, exec);
    return call.sendNothing(200);
  }
  const { attachStdin, tty, detachKeys } = exec.request;
  await openExec(engine, exec, attachStdin);
  const streams = await attachToExec(engine, exec, !body.Tty);
  const client = call.hijack(streamType(call, body.Tty));
  const started = startExec(engine, exec).catch((error: Error) => {
    // The stream has begun: as with Docker, the reason goes where the output would have.
    const text = Buffer.from(`OCI runtime exec failed: ${error.message}\r\n`);
    client.write(body.Tty ? text : frame('stdout', text));
    streams.destroy();
  });
  await joinStreams(client, streams, {
    stdin: attachStdin,
    // Clients ask for the exit code as soon as the stream has ended.
    ended: untilExecEnds(exec),
    ...(tty && attachStdin && { detachKeys: parseDetachKeys(detachKeys) }),
  });
  await started;
}

/** `POST /exec/{id}/resize` */
export async function resizeExec(call: Call): Promise<void> {
  const exec = findExec(call.engine, call.parameter('id'));
  if (exec.state !== 'running') throw new ApiError(409, `exec ${exec.id.slice(0, 12)} is not running`);
  await resizeTerminal(call, execKey(exec));
}

/** `GET /exec/{id}/json` */
export function inspectExec(call: Call): void {
  call.send(200, execView(findExec(call.engine, call.parameter('id'))));
}

function execView({ id, container, request, state, pid, exitCode }: Exec) {
  const [entrypoint = '', ...args] = request.args;
  return {
    ID: id,
    Running: state === 'running',
    ExitCode: exitCode,
    ProcessConfig: {
      tty: request.tty,
      entrypoint,
      arguments: args,
      privileged: request.privileged,
      ...(request.user !== '' && { user: request.user }),
    },
    OpenStdin: request.attachStdin,
    OpenStderr: request.attachStderr,
    OpenStdout: request.attachStdout,
    CanRemove: state === 'exited',
    ContainerID: container.id,
    DetachKeys: request.detachKeys,
    Pid: pid,
  };
}
