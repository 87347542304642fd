import type { Socket } from 'node:net';
import { DetachFilter } from './detach-keys.ts';
import { pump } from './pump.ts';

export interface JoinOptions {
  /** Whether what the client sends is for the process. */
  stdin: boolean;
  /** The sequence that ends the attachment and leaves the process alone; absent where there is no terminal. */
  detachKeys?: Buffer;
  /** Resolves when the process has ended, before which the client is not to think so. */
  ended?: Promise<unknown>;
}

/**
 * Join a client with the streams of a process until either has gone. Each direction ends by itself: the end of the
 * client's input is the end of the process's, and its output goes on. Neither side is read faster than the other takes.
 */
export async function joinStreams(
  client: Socket,
  streams: Socket,
  { stdin, detachKeys, ended }: JoinOptions,
): Promise<void> {
  let detached = false;
  if (!stdin) {
    client.resume();
    streams.end();
  } else if (detachKeys) {
    const detach = () => {
      detached = true;
      // What was typed before still arrives; the end of input means nothing to a terminal.
      streams.end(() => streams.destroy());
      // Both sides: what the client goes on to send is for nobody.
      client.destroySoon();
    };
    const typed = new DetachFilter(detachKeys, detach);
    pump(client, typed);
    client.once('end', () => typed.end());
    typed.pipe(streams);
  } else {
    pump(client, streams);
    client.once('end', () => streams.end());
  }
  pump(streams, client);
  await new Promise<void>((resolve) => {
    streams.on('error', () => streams.destroy());
    streams.on('close', () => {
      // Its output has ended, or it has gone: there is nothing more to come either way.
      Promise.resolve(detached ? undefined : ended).then(() => client.end());
      resolve();
    });
    client.on('close', () => {
      if (!detached) streams.destroy();
      resolve();
    });
    // Without input to wait for, the end of the output is the end.
    streams.on('end', () => streams.end());
  });
}
