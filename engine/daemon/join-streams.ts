import type { Socket } from 'node:net';
import { DetachFilter } from './detach-keys.ts';

export interface JoinOptions {
  /** Whether what the client sends is for the process. */
  stdin: boolean;
  /** The sequence that ends the attachment and leaves the process alone; absent where there is no terminal. */
  detachKeys?: Buffer;
}

/**
 * Join a client with the streams of a process until either has gone. Each direction ends by itself: the end of the
 * client's input is the end of the process's, and its output goes on. Neither side is read faster than the other takes.
 */
export async function joinStreams(client: Socket, streams: Socket, { stdin, detachKeys }: JoinOptions): Promise<void> {
  if (!stdin) {
    client.resume();
    streams.end();
  } else if (detachKeys) {
    const detach = () => {
      // What was typed before still arrives; the end of input means nothing to a terminal.
      streams.end(() => streams.destroy());
      client.end();
    };
    client.pipe(new DetachFilter(detachKeys, detach)).pipe(streams);
  } else {
    client.pipe(streams);
  }
  streams.pipe(client);
  await new Promise<void>((resolve) => {
    streams.on('error', () => streams.destroy());
    streams.on('close', () => {
      // Its output has ended, or it has gone: there is nothing more to come either way.
      client.end();
      resolve();
    });
    client.on('close', () => {
      streams.destroy();
      resolve();
    });
    // Without input to wait for, the end of the output is the end.
    streams.on('end', () => streams.end());
  });
}
