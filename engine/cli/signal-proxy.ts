import { complain } from './output.ts';

/**
 * What a foreground `run` hands on to the container. SIGWINCH is not among them: a changed terminal is told by a
 * resize, and to some servers the signal means "shut down".
 */
const PROXIED: NodeJS.Signals[] = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGTERM',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGCONT',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
];

/** So often one asks nicely before the client gives up on the container's cooperation. */
const PATIENCE = 3;

/**
 * Give every signal that this process gets to `send`. The third SIGINT or SIGTERM ends this process itself.
 * Returns what ends that.
 */
export function proxySignals(send: (signal: string) => void): () => void {
  let requests = 0;
  const handler = (signal: NodeJS.Signals): void => {
    if (signal === 'SIGINT' || signal === 'SIGTERM') requests += 1;
    if (requests >= PATIENCE) {
      complain(`got ${PATIENCE} SIGTERM/SIGINTs, forcefully exiting`);
      process.exit(1);
    }
    send(signal.replace(/^SIG/, ''));
  };
  for (const signal of PROXIED) process.on(signal, handler);
  return () => {
    for (const signal of PROXIED) process.off(signal, handler);
  };
}
