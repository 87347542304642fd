/**
 * From a learner's TypeScript to JavaScript, where there is nothing to find: in a sandbox that holds the compiler and the
 * learner's one file. Hostile text can have a compiler read files (imports, globs, comments), eat memory, run for ever or
 * overflow its stack; which forms of text do that is not for us to list. A fresh sandbox compiles each submission.
 */

import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import type net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import * as files from './files.ts';
import { home } from './home.ts';
import { Refused } from './refused.ts';
import { type Ending, Sandbox, startContainer } from './sandbox.ts';
import { COURSE } from './sandbox-spec.ts';
import type { Session } from './session.ts';
import { SESSION_PREFIX } from './session-paths.ts';

const MEMORY_KIB = 2 << 20;
/** A machine may be busy elsewhere: what counts first is the processor's time, sandbox-spec.ts. */
const PATIENCE_MILLISECONDS = 60_000;
const LARGEST_OUTPUT = 8 << 20;
const OUTPUT = 'scratch/module.cjs';

/** What a learner's module may import besides node:*; it is handed to the module when it runs. */
export const SHARED = ['#kernel/*', '#contract/*', '#spec'];

const tsconfig = JSON.stringify({ compilerOptions: { target: 'ES2022', verbatimModuleSyntax: true } });

export function esbuildBinary(): string {
  const require = createRequire(path.join(home, 'package.json'));
  return require.resolve(`@esbuild/${process.platform}-${process.arch}/bin/esbuild`);
}

/**
 * @param file the learner's file, relative to the clone: what messages and stack traces call it.
 * @param session null without sandboxes: then the text is the learner's own, on the learner's own machine.
 * @returns a CommonJS module.
 * @throws Refused, with the line, when it does not compile or imports something that is not there; or with the reason
 *   why that was given up.
 */
export async function compile(source: string, file: string, session: Session | null): Promise<string> {
  const made = await (session === null ? compileHere(source, file) : compileInSandbox(source, file, session));
  if (made.late)
    throw new Refused(
      `${file} takes more than ${PATIENCE_MILLISECONDS / 1000} s to compile, so it is not run. Write it plainly.`,
    );
  if (made.ending.exitCode !== 0) throw new Refused(describe(made.complaint, file));
  return made.output;
}

interface Made {
  ending: Ending;
  late: boolean;
  complaint: string;
  output: string;
}

function commandLine(esbuild: string, file: string): string[] {
  return [
    esbuild,
    file,
    `--outfile=labs/${OUTPUT}`,
    ...['--bundle', '--platform=node', '--format=cjs', '--target=node20', '--keep-names'],
    // An import() is to be answered by the subject's own require, too.
    '--supported:dynamic-import=false',
    ...['--sourcemap=inline', '--sources-content=false', `--source-root=${COURSE}/labs/scratch/`],
    ...['--legal-comments=none', '--color=false', '--log-level=error', '--log-limit=3'],
    ...SHARED.map((id) => `--external:${id}`),
    `--define:import.meta.url=${JSON.stringify(`file://${COURSE}/${file}`)}`,
    `--tsconfig-raw=${tsconfig}`,
  ];
}

/** Lay out what the compiler sees of `labs/`. */
function fill(labs: string, file: string, source: string): void {
  files.mkdirSync(path.join(labs, path.basename(path.dirname(file))));
  files.writeFileSync(path.join(labs, path.relative('labs', file)), source, { flag: 'wx', mode: 0o644 });
}

async function compileInSandbox(source: string, file: string, session: Session): Promise<Made> {
  let output: net.Socket | undefined;
  const record = await startContainer(session, 'root', {
    compiler: commandLine('/esbuild', file),
    fill: (view) => fill(view, file, source),
    onOutput: (socket) => {
      output = socket;
    },
  });
  const sandbox = new Sandbox(session, record, output);
  try {
    const { ending, late } = await endOf(sandbox.ended, () => sandbox.kill());
    const made = path.join(sandbox.outside, OUTPUT);
    return {
      ending,
      late,
      complaint: await sandbox.finalWords(),
      output: ending.exitCode === 0 ? readOutput(made, file) : '',
    };
  } finally {
    await sandbox.destroy();
  }
}

async function compileHere(source: string, file: string): Promise<Made> {
  const folder = files.mkdtempSync(path.join(os.tmpdir(), `${SESSION_PREFIX}${process.pid}-compile-`));
  try {
    files.mkdirSync(path.join(folder, 'labs/scratch'), { recursive: true });
    fill(path.join(folder, 'labs'), file, source);
    const [esbuild, ...options] = commandLine(esbuildBinary(), file);
    const limited = `ulimit -t 10 -v ${MEMORY_KIB} 2>/dev/null; exec "$0" "$@"`;
    const child = spawn('sh', ['-c', limited, esbuild!, ...options], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env.PATH },
    });
    let complaint = '';
    child.stderr.on('data', (chunk) => {
      complaint = (complaint + chunk).slice(0, 1 << 20);
    });
    const ended = new Promise<Ending>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (exitCode, signal) => resolve({ exitCode, signal, oomKilled: false }));
    });
    const { ending, late } = await endOf(ended, () => child.kill('SIGKILL'));
    const output = path.join(folder, 'labs', OUTPUT);
    return { ending, late, complaint, output: ending.exitCode === 0 ? readOutput(output, file) : '' };
  } finally {
    files.removeTree(folder);
  }
}

async function endOf(ended: Promise<Ending>, kill: () => void): Promise<{ ending: Ending; late: boolean }> {
  let late = false;
  const clock = setTimeout(() => {
    late = true;
    kill();
  }, PATIENCE_MILLISECONDS);
  const ending = await ended.finally(() => clearTimeout(clock));
  return { ending, late };
}

function readOutput(output: string, file: string): string {
  if (files.lstatSync(output).size > LARGEST_OUTPUT)
    throw new Refused(`${file} compiles to more than 8 MiB, so it is not run. Write it plainly.`);
  return files.readFileSync(output, 'utf8');
}

/** esbuild's own words: `✘ [ERROR] TEXT`, then `FILE:LINE:COLUMN:`, then the line itself. */
function describe(complaint: string, file: string): string {
  const [, text] = /\[ERROR\] (.+)/.exec(complaint) ?? [];
  if (text === undefined)
    return `${file} cannot be compiled: the compiler ran out of time, memory or stack. Write it plainly.`;
  const at = complaint.slice(complaint.indexOf(text));
  const [, line, column] = /:(\d+):(\d+):\s*$/m.exec(at) ?? [];
  const [, shown] = /^\s*\d+ │ (.*)$/m.exec(at) ?? [];
  const where = line === undefined ? file : `${file}:${line}:${Number(column) + 1}`;
  const [, wanted] = /^Could not resolve (?:\w+\()?"(.*?)"/.exec(text) ?? [];
  const what = wanted === undefined ? `does not compile: ${text}` : refusal(wanted);
  return `${where}: ${what}${shown === undefined ? '' : `\n\n    ${shown.trim().slice(0, 200)}`}`;
}

export function refusal(wanted: string): string {
  return (
    `the import of "${wanted}" is refused: a lab is one file, and all it may import is node:*, #kernel/*, #contract/* and #spec. ` +
    'Bring what you need into the file itself.'
  );
}
