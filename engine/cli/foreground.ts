import type { Duplex } from 'node:stream';
import type { ApiClient } from './api-client.ts';
import { WaitSchema } from './api-types.ts';
import { containerPath } from './containers.ts';
import { CliError, errorText } from './errors.ts';
import { runSession } from './session.ts';
import { proxySignals } from './signal-proxy.ts';
import { followTerminalSize } from './terminal.ts';

/** What of a container is connected with our own standard streams. */
export interface Attachment {
  tty: boolean;
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  detachKeys: string;
  sigProxy: boolean;
}

/** How it ended: the container's exit code, or the user detached from it. */
export type ForegroundEnd = { exitCode: number } | { detached: true };

/** Milliseconds that a container whose start failed has to vanish. */
const VANISHING = 5_000;

/**
 * Start a container and stay with it: attach and wait before the start, so that no output and no end is missed.
 * @param removed the daemon removes the container at its end, so wait for that.
 * @throws CliError when it cannot be started; the exit code is what a shell answers (126, 127) or 125.
 */
export async function startInForeground(
  client: ApiClient,
  id: string,
  attachment: Attachment,
  removed: boolean,
): Promise<ForegroundEnd> {
  const connection = await attach(client, id, attachment);
  const ended = waitForEnd(client, id, removed ? 'removed' : 'next-exit');
  const end = await ended.accepted;
  const stopProxy = attachment.sigProxy ? proxySignals(killer(client, id)) : () => {};
  let stopResize = (): void => {};
  try {
    try {
      await client.text('POST', containerPath(id, '/start'));
    } catch (error) {
      connection.destroy();
      if (removed) await Promise.race([end.exitCode.catch(() => {}), timer(VANISHING)]);
      throw startError(error);
    }
    if (attachment.tty) stopResize = followTerminalSize((size) => resize(client, containerPath(id), size));
    const how = await runSession(connection, { ...attachment, output: attachment.stdout || attachment.stderr });
    if (how === 'detached') return { detached: true };
    return { exitCode: await end.exitCode };
  } finally {
    stopResize();
    stopProxy();
  }
}

/** The raw stream of a container's standard streams. */
export function attach(
  client: ApiClient,
  id: string,
  attachment: Omit<Attachment, 'sigProxy' | 'tty'>,
): Promise<Duplex> {
  const { stdin, stdout, stderr, detachKeys } = attachment;
  return client.hijack(containerPath(id, '/attach'), {
    query: {
      stream: true,
      stdin: stdin || undefined,
      stdout: stdout || undefined,
      stderr: stderr || undefined,
      detachKeys,
    },
  });
}

/** Sends signals to a container; a container that has ended already does not make it fail. */
export function killer(client: ApiClient, id: string): (signal: string) => void {
  return (signal) => {
    client.text('POST', containerPath(id, '/kill'), { query: { signal } }).catch(() => {});
  };
}

/** Tell the terminal of a container or exec its size; one that is not there yet, or no more, misses nothing. */
export function resize(client: ApiClient, path: string, size: { h: number; w: number }): void {
  client.text('POST', `${path}/resize`, { query: { ...size } }).catch(() => {});
}

/**
 * Ask for the end of a container. `accepted` resolves when the daemon has taken note of the question, to an object
 * whose `exitCode` resolves at the end.
 */
export function waitForEnd(
  client: ApiClient,
  id: string,
  condition: 'next-exit' | 'removed' | 'not-running',
): { accepted: Promise<{ exitCode: Promise<number> }> } {
  const answer = client.stream('POST', containerPath(id, '/wait'), { query: { condition } });
  const accepted = answer.then((stream) => {
    const exitCode = (async () => {
      const chunks: Buffer[] = [];
      try {
        for await (const chunk of stream) chunks.push(chunk);
        const end = WaitSchema.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
        if (end.Error?.Message) throw new CliError(end.Error.Message, 125);
        return end.StatusCode;
      } catch (error) {
        if (error instanceof CliError) throw error;
        throw new CliError(
          `The daemon went away before it told how the container ended (${errorText(error)}). ` +
            'The container itself may still run: look with skiff ps.',
          125,
        );
      }
    })();
    exitCode.catch(() => {});
    return { exitCode };
  });
  return { accepted };
}

/** The exit codes that docker gives a container that could not be started, by what the daemon says of it. */
export function startError(error: unknown): CliError {
  const text = errorText(error);
  let code = 125;
  if (/executable file not found|no such file or directory|not found in \$PATH/i.test(text)) code = 127;
  else if (/permission denied|is a directory|exec format error/i.test(text)) code = 126;
  return new CliError(text, code, { cause: error });
}

function timer(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds).unref());
}
