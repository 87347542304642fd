import { createInterface } from 'node:readline';

/** Ask whether to go on, as docker's prune commands do. @param warning what is about to happen */
export async function confirmed(warning: string): Promise<boolean> {
  process.stdout.write(`WARNING! ${warning}\nAre you sure you want to continue? [y/N] `);
  const lines = createInterface({ input: process.stdin, terminal: false });
  for await (const line of lines) return /^y(es)?$/i.test(line.trim());
  return false;
}
