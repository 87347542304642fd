/** From one learner's file to one CommonJS file that the subject can load, and nothing else of this machine in it. */

import fs from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import * as esbuild from 'esbuild';
import type { LabFolder } from '../lab.ts';
import { compile } from './compile.ts';
import { home } from './home.ts';
import { Refused } from './refused.ts';

/** The module cannot even be read, which is nobody's work; the message is for whoever runs the grader. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';
}

const LARGEST_SOURCE = 1 << 20;

/**
 * Read the one file that is taken from a learner.
 * @param root the submission. Nothing on the way from there to `file`, which is relative to it, may be a link: it could
 *   lead to a file of this machine, whose lines would come back in the messages of the compiler.
 * @throws Refused when it is missing, no regular file, or larger than 1 MiB; Unreadable when the machine says no.
 */
export function readLearnerFile(root: string, file: string): string {
  const refuse = (why: string) => new Refused(`${file} ${why}`);
  let fd: number;
  try {
    const steps = file.split('/');
    for (const index of steps.keys()) {
      if (fs.lstatSync(path.join(root, ...steps.slice(0, index + 1))).isSymbolicLink())
        throw refuse(
          `is not graded: ${steps.slice(0, index + 1).join('/')} is a symbolic link. ` +
            'Put the file itself there; what a link points at is not part of a submission.',
        );
    }
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    const flags = fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK;
    fd = fs.openSync(path.join(root, file), flags);
  } catch (error) {
    if (error instanceof Refused) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw refuse('is not there. The lab is graded from this one file; put your module there.');
    throw new Unreadable(`${path.join(root, file)} cannot be read: ${message}`);
  }
  try {
    const stat = fs.fstatSync(fd);
    if (!stat.isFile()) throw refuse('is not a regular file. Put your module there as plain text.');
    if (stat.size > LARGEST_SOURCE) throw refuse(`has ${stat.size} bytes; at most 1 MiB is graded.`);
    return fs.readFileSync(fd, 'utf8');
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * Bundle a learner's module with the lab's driver (if it has one).
 * The module may import node:*, #kernel/*, #contract/* and #spec; what our own files import is ours.
 * @returns JavaScript whose exports are `{plank, driver}`.
 * @throws Refused when it does not compile or imports anything else.
 */
export async function bundleModule(lab: LabFolder, source: string): Promise<string> {
  const file = path.join('labs', path.basename(lab.folder), `${lab.module}.ts`);
  return await bundle(lab, await compile(source, file), false);
}

/** The same for a module of this clone's own, which may import what it likes: the engine's, to prove the checks with. */
export async function bundleOwn(lab: LabFolder, file: string): Promise<string> {
  return await bundle(lab, `export * from ${JSON.stringify(file)};`, true);
}

async function bundle(lab: LabFolder, source: string, trusted: boolean): Promise<string> {
  const file = path.join(lab.folder, `${lab.module}.ts`);
  const driver = path.join(lab.folder, `${lab.module}.driver.ts`);
  const entry = [
    `export * as plank from ${JSON.stringify(file)};`,
    fs.existsSync(driver) ? `export * as driver from ${JSON.stringify(driver)};` : 'export const driver = {};',
  ].join('\n');
  try {
    const built = await esbuild.build({
      stdin: { contents: entry, resolveDir: lab.folder, sourcefile: 'entry.ts', loader: 'ts' },
      absWorkingDir: home,
      bundle: true,
      write: false,
      platform: 'node',
      format: 'cjs',
      target: 'node20',
      keepNames: true,
      sourcemap: 'inline',
      sourcesContent: false,
      sourceRoot: `${home}/`,
      legalComments: 'none',
      external: ['koffi'],
      // Without these esbuild would look for a tsconfig.json and a package.json of the submission's choice.
      tsconfigRaw: { compilerOptions: { target: 'ES2022', verbatimModuleSyntax: true } },
      logLevel: 'silent',
      plugins: [oneFile(file, `#${lab.module}`, source, trusted)],
    });
    return built.outputFiles[0]!.text;
  } catch (error) {
    throw new Refused(describe(error));
  }
}

/** Lays the learner's text over the lab's file, and guards what it may import. */
function oneFile(file: string, plank: string, source: string, trusted: boolean): esbuild.Plugin {
  const between = file.replace(/\.ts$/, '.plank.ts');
  return {
    name: 'one learner file',
    setup(build) {
      build.onResolve({ filter: /.*/ }, ({ path: wanted, importer, kind, with: attributes, resolveDir }) => {
        // What a lab puts between the engine and the plank, to judge one function at a time.
        if (wanted === plank && path.dirname(importer) !== path.dirname(file) && fs.existsSync(between))
          return { path: between };
        if (importer !== file) {
          const target = path.isAbsolute(wanted) ? wanted : path.resolve(resolveDir || path.dirname(importer), wanted);
          return target === file || wanted === plank ? { path: file } : undefined;
        }
        if (trusted) return undefined;
        if (isBuiltin(wanted)) return { path: wanted, external: true };
        const target = allowed(wanted);
        if (target === null || Object.keys(attributes).length > 0 || kind === 'url-token')
          return { errors: [{ text: refusal(wanted) }] };
        return { path: target };
      });
      build.onLoad({ filter: /.*/ }, ({ path: loaded }) =>
        loaded === file
          ? { contents: source, loader: trusted ? 'ts' : 'js', resolveDir: path.dirname(file) }
          : undefined,
      );
    },
  };
}

/** The file of ours that a learner's import stands for, null when there is none. */
function allowed(wanted: string): string | null {
  const room = /^#(kernel|contract)\/([a-z0-9-]+)$/.exec(wanted);
  if (room) {
    const folders = room[1] === 'kernel' ? ['engine/kernel'] : ['engine/runtime/contract', 'engine/image/contract'];
    const files = folders.map((folder) => path.join(home, folder, `${room[2]}.ts`));
    return files.find((file) => fs.existsSync(file)) ?? null;
  }
  return wanted === '#spec' || wanted === '../../engine/runtime/spec.ts'
    ? path.join(home, 'engine/runtime/spec.ts')
    : null;
}

function refusal(wanted: string): string {
  return (
    `the import of "${wanted}" is refused: a lab is one file, and all it may import is node:*, #kernel/*, #contract/* and #spec. ` +
    'Bring what you need into the file itself.'
  );
}

function describe(error: unknown): string {
  const [first, ...more] = (error as esbuild.BuildFailure).errors ?? [];
  if (first === undefined) return `The module cannot be bundled: ${(error as Error).message}`;
  const where =
    first.location === null ? '' : `${first.location.file}:${first.location.line}:${first.location.column + 1}: `;
  const line = first.location?.lineText ? `\n\n    ${first.location.lineText.trim()}` : '';
  const count = more.length === 0 ? '' : `\n(and ${more.length} more)`;
  const what = first.text.includes('is refused') ? '' : 'does not compile: ';
  return `${where}${what}${first.text}${line}${count}`;
}
