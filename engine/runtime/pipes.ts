/** The parent's ends of the pipes to a child, read without waiting for one child while others are to be started. */

import { Socket } from 'node:net';

/** What a child has to say before it becomes its program is short. */
const LONGEST = 64 * 1024;

/** Everything until end-of-file; what is past 64 KiB is dropped. Closes `fd`. */
export function readToEnd(fd: number): Promise<string> {
  return readWhile(fd, () => true);
}

/** One line without its newline, or what there was at end-of-file. Closes `fd`. */
export function readLine(fd: number): Promise<string> {
  return readWhile(fd, (text) => !text.includes('\n')).then((text) => text.split('\n', 1)[0]!);
}

function readWhile(fd: number, wantsMore: (text: string) => boolean): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const pipe = new Socket({ fd, readable: true, writable: false });
    pipe.setEncoding('utf8');
    pipe.on('data', (chunk: string) => {
      if (text.length < LONGEST) text += chunk;
      if (!wantsMore(text)) pipe.destroy();
    });
    pipe.on('error', () => pipe.destroy());
    pipe.on('close', () => resolve(text));
  });
}
