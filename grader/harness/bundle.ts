/**
 * The files that a subject loads: the learner's module, the lab's driver, and what both share. Each is a bundle of its own,
 * so that no text of a learner's stands in one scope with ours. Only the learner's text is compiled in a sandbox; the rest
 * is this clone's.
 */

import fs from 'node:fs';
import path from 'node:path';
import * as esbuild from 'esbuild';
import type { LabFolder } from '../lab.ts';
import { compile } from './compile.ts';
import { home } from './home.ts';
import { Refused } from './refused.ts';
import { COURSE } from './sandbox-spec.ts';
import type { Session } from './session.ts';

/** The module cannot even be read, which says nothing about anybody’s work; the message is for the person who runs the grader. */
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
    // A socket has no content to be opened.
    if (code === 'ENXIO') throw refuse('is not a regular file. Put your module there as plain text.');
    // Its mode is part of what was handed in: without an answer here it would be graded nowhere.
    if (code === 'EACCES' || code === 'EPERM')
      throw refuse('may not be read by the grader. Give it and its folders back their rights: chmod -R u+rwX.');
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

/** What a subject loads, as JavaScript in CommonJS form. */
export interface ModuleFiles {
  /** The learner's module. It requires node's own modules and names of `shared`. */
  plank: string;
  /** The lab's driver. It requires `PLANK` besides. */
  driver: string;
  /** `#kernel/*`, `#contract/*` and `#spec`, by these names. */
  shared: string;
}

/** How a driver requires the learner's module. */
const PLANK = 'skiff:plank';

/** @param session where the text is compiled; null without sandboxes. @throws Refused as of `compile`. */
export async function bundleModule(lab: LabFolder, source: string, session: Session | null): Promise<ModuleFiles> {
  const file = path.join('labs', path.basename(lab.folder), `${lab.module}.ts`);
  const [plank, driver, shared] = await Promise.all([
    compile(source, file, session),
    bundleDriver(lab),
    sharedModules(),
  ]);
  return { plank, driver, shared };
}

/** The same for a module of this clone's own, which may import what it likes: the engine's, to prove the checks with. */
export async function bundleOwn(lab: LabFolder, file: string): Promise<ModuleFiles> {
  const [plank, driver, shared] = await Promise.all([
    bundle(`export * from ${JSON.stringify(file)};`, lab.folder, [sharedIsElsewhere]),
    bundleDriver(lab),
    sharedModules(),
  ]);
  return { plank, driver, shared };
}

async function bundleDriver(lab: LabFolder): Promise<string> {
  const driver = path.join(lab.folder, `${lab.module}.driver.ts`);
  if (!fs.existsSync(driver)) return 'module.exports = {};';
  return await bundle(`export * from ${JSON.stringify(driver)};`, lab.folder, [
    plankIsElsewhere(path.join(lab.folder, `${lab.module}.ts`), `#${lab.module}`),
    sharedIsElsewhere,
  ]);
}

const KERNEL = path.join(home, 'engine/kernel');
const CONTRACTS = ['engine/runtime/contract', 'engine/image/contract', 'engine/registry/contract'].map((folder) =>
  path.join(home, folder),
);
const SPEC = path.join(home, 'engine/runtime/spec.ts');

let sharedBundle: Promise<string> | undefined;

function sharedModules(): Promise<string> {
  sharedBundle ??= bundleShared();
  return sharedBundle;
}

/** Loaded when they are first asked for: native calls cost time, and a pure lab can do without Linux. */
function bundleShared(): Promise<string> {
  const modules = [KERNEL, ...CONTRACTS].flatMap((folder) =>
    fs
      .readdirSync(folder)
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
      .map((name) => path.join(folder, name)),
  );
  const members = [...modules, SPEC].map((file) => {
    const id = JSON.stringify(sharedName(file));
    return `get ${id}() { return require(${JSON.stringify(file)}); }`;
  });
  return bundle(`module.exports = { ${members.join(', ')} };`, home, []);
}

/** `#kernel/…`, `#contract/…` or `#spec` for a file that learner and driver share; null for any other. */
function sharedName(file: string): string | null {
  if (file === SPEC) return '#spec';
  const name = path.basename(file, '.ts');
  if (path.dirname(file) === KERNEL) return `#kernel/${name}`;
  return CONTRACTS.includes(path.dirname(file)) ? `#contract/${name}` : null;
}

const sharedIsElsewhere: esbuild.Plugin = {
  name: 'what both share',
  setup(build) {
    build.onResolve({ filter: /^(#kernel\/|#contract\/|#spec$)/ }, ({ path: id }) => ({ path: id, external: true }));
    build.onResolve({ filter: /^\.{1,2}\// }, ({ path: wanted, resolveDir }) => {
      const id = sharedName(path.resolve(resolveDir, wanted));
      return id === null ? undefined : { path: id, external: true };
    });
  },
};

function plankIsElsewhere(file: string, plank: string): esbuild.Plugin {
  const between = file.replace(/\.ts$/, '.plank.ts');
  return {
    name: 'the learner’s module',
    setup(build) {
      build.onResolve({ filter: /.*/ }, ({ path: wanted, importer, resolveDir }) => {
        // What a lab puts between the engine and the plank, to judge one function at a time.
        if (wanted === plank && path.dirname(importer) !== path.dirname(file) && fs.existsSync(between))
          return { path: between };
        return wanted === plank || path.resolve(resolveDir, wanted) === file
          ? { path: PLANK, external: true }
          : undefined;
      });
    },
  };
}

async function bundle(entry: string, resolveDir: string, plugins: esbuild.Plugin[]): Promise<string> {
  const built = await esbuild.build({
    stdin: { contents: entry, resolveDir, sourcefile: 'entry.ts', loader: 'ts' },
    absWorkingDir: home,
    bundle: true,
    write: false,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    // An import() of what is elsewhere has to come by the subject's own require as well.
    supported: { 'dynamic-import': false },
    keepNames: true,
    sourcemap: 'inline',
    sourcesContent: false,
    sourceRoot: `${COURSE}/`,
    legalComments: 'none',
    external: ['koffi'],
    tsconfigRaw: { compilerOptions: { target: 'ES2022', verbatimModuleSyntax: true } },
    logLevel: 'silent',
    plugins,
  });
  return built.outputFiles[0]!.text;
}
