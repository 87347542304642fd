import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { CliError } from './errors.ts';

/** Ask for a line on the terminal. @throws CliError when the user gives up */
export function askLine(question: string): Promise<string> {
  return ask(question, process.stdout);
}

/** The same without showing what is typed. */
export async function askSecret(question: string): Promise<string> {
  process.stdout.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  try {
    return await ask('', nowhere);
  } finally {
    process.stdout.write('\n');
  }
}

async function ask(question: string, output: Writable): Promise<string> {
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  const stopped = new AbortController();
  lines.on('SIGINT', () => stopped.abort());
  lines.on('close', () => stopped.abort());
  try {
    return await lines.question(question, { signal: stopped.signal });
  } catch {
    throw new CliError('the login was broken off', 130);
  } finally {
    lines.close();
  }
}
