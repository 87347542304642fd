/**
 * From a learner's TypeScript to JavaScript, in a process of its own that may be lost. What compiles hostile text can be
 * made to eat memory (enum members that double), to run for ever, to overflow its stack, or to open a file that a
 * comment names (sourceMappingURL), and it must not take the judge along.
 */

import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { home } from './home.ts';
import { Refused } from './refused.ts';

const MEMORY_KIB = 2 << 20;
const PATIENCE_MILLISECONDS = 15_000;
const LARGEST_OUTPUT = 8 << 20;

const tsconfig = JSON.stringify({ compilerOptions: { target: 'ES2022', verbatimModuleSyntax: true } });

/**
 * @param file what messages and stack traces call it.
 * @throws Refused, with the line, when it does not compile; or with the reason why that was given up.
 */
export async function compile(source: string, file: string): Promise<string> {
  // No file is to be opened because of what a comment says, and our own source map is to be the only one.
  const text = source.replace(/sourceMappingURL/g, 'source-mapping-url');
  const esbuild = createRequire(path.join(home, 'package.json')).resolve(
    `@esbuild/${process.platform}-${process.arch}/bin/esbuild`,
  );
  const options = [
    '--loader=ts',
    '--target=node20',
    '--format=esm',
    '--keep-names',
    '--sourcemap=inline',
    '--sources-content=false',
  ];
  const child = spawn(
    'sh',
    [
      '-c',
      `ulimit -v ${MEMORY_KIB} 2>/dev/null; exec "$0" "$@"`,
      esbuild,
      ...options,
      `--sourcefile=${file}`,
      `--tsconfig-raw=${tsconfig}`,
      '--color=false',
      '--log-limit=3',
    ],
    { cwd: '/', stdio: 'pipe', env: { PATH: process.env.PATH } },
  );
  const output: Buffer[] = [];
  const complaint: Buffer[] = [];
  let size = 0;
  let givenUp: string | null = null;
  const giveUp = (why: string) => {
    givenUp ??= why;
    child.kill('SIGKILL');
  };
  const clock = setTimeout(
    () => giveUp(`takes more than ${PATIENCE_MILLISECONDS / 1000} s to compile`),
    PATIENCE_MILLISECONDS,
  );
  child.stdout.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > LARGEST_OUTPUT) giveUp('compiles to more than 8 MiB');
    else output.push(chunk);
  });
  child.stderr.on('data', (chunk: Buffer) => {
    if (complaint.length < 64) complaint.push(chunk);
  });
  // It may end before it has read everything.
  child.stdin.on('error', () => {});
  child.stdin.end(text);
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  }).finally(() => clearTimeout(clock));
  if (givenUp !== null) throw new Refused(`${file} ${givenUp}, so it is not run. Write it plainly.`);
  if (status !== 0) throw new Refused(describe(Buffer.concat(complaint).toString(), file));
  return Buffer.concat(output).toString();
}

/** esbuild's own words: `✘ [ERROR] TEXT`, then `FILE:LINE:COLUMN:`, then the line itself. */
function describe(complaint: string, file: string): string {
  const [, text] = /\[ERROR\] (.+)/.exec(complaint) ?? [];
  if (text === undefined)
    return `${file} cannot be compiled: the compiler ran out of memory or of stack. Write it plainly.`;
  const at = complaint.slice(complaint.indexOf(text));
  const [, line, column] = /:(\d+):(\d+):\s*$/m.exec(at) ?? [];
  const [, shown] = /^\s*\d+ │ (.*)$/m.exec(at) ?? [];
  const where = line === undefined ? file : `${file}:${line}:${Number(column) + 1}`;
  return `${where}: does not compile: ${text}${shown === undefined ? '' : `\n\n    ${shown.trim().slice(0, 200)}`}`;
}
