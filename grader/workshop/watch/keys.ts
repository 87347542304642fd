import { isInteractive } from '../terminal.ts';

/**
 * Resolves when the learner quits: by `q`, Ctrl-C or Ctrl-D, or by a signal, which is the only way without a terminal.
 * Until then every other key goes to `onKey`, in lower case, and a change of the window's size to `onResize`.
 */
export function untilQuit(onKey: (key: string) => void, onResize: () => void): Promise<void> {
  return new Promise((resolve) => {
    const { stdin, stdout } = process;
    const finish = () => {
      stdin.off('data', onData);
      stdout.off('resize', onResize);
      if (isInteractive()) stdin.setRawMode(false);
      stdin.pause();
      resolve();
    };
    const onData = (data: Buffer) => {
      for (const key of data.toString()) {
        if (key === 'q' || key === '\x03' || key === '\x04') return finish();
        onKey(key.toLowerCase());
      }
    };
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, finish);
    if (!isInteractive()) return;
    stdin.setRawMode(true);
    stdin.resume();
    stdin.on('data', onData);
    stdout.on('resize', onResize);
  });
}
