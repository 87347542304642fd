/**
 * Bundle the commands: `node engine/build.mjs [--need COMMAND] [--conditions lab-process,lab-rootfs]`.
 *
 * Without conditions everything goes to `.build/default/`. With conditions the planks they name are swapped in
 * (package.json, "imports") and the engine alone goes to `.build/lab-process+lab-rootfs/`.
 *
 * Does nothing when no source is newer than the last build. Each bundle appears by rename, so a process that starts one gets
 * a whole one. Exit 1, and one message that names file and line, when a source does not compile; with
 * `--need skiff|runtime|workshop|grade` only when that command needs it.
 */

import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { oneAtATime } from './one-at-a-time.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

const ENGINE = {
  skiff: 'engine/cli/main.ts',
  daemon: 'engine/daemon/main.ts',
  shim: 'engine/runtime/shim/main.ts',
  files: 'engine/container/files/main.ts',
  runtime: 'engine/runtime/oci/main.ts',
  registry: 'engine/registry/server/main.ts',
};
const GRADER = {
  workshop: 'grader/workshop/main.ts',
  grade: 'grader/main.ts',
  subject: 'grader/harness/subject.ts',
};

/** What a command cannot do without, beside its own bundle. */
const PARTS = {
  skiff: ['skiff', 'daemon', 'shim', 'files', 'registry'],
  runtime: ['runtime'],
  workshop: ['workshop', 'grade', 'subject'],
  grade: ['grade', 'subject'],
};

/**
 * Loaded from node_modules at run time: native code, tools that find their own files beside themselves, and undici, which
 * is as large as the daemon itself and which most daemons never need.
 */
const EXTERNAL = ['koffi', 'undici', 'esbuild', 'vitest', 'vite', 'typescript', 'tsx', '@biomejs/biome'];

const { values } = parseArgs({
  options: { conditions: { type: 'string', default: '' }, need: { type: 'string' }, force: { type: 'boolean' } },
});
if (values.need !== undefined && !(values.need in PARTS)) fail(`There is no command "${values.need}" to build.`);
const conditions = values.conditions.split(',').filter(Boolean).sort();
const unknown = conditions.find((name) => !/^(lab|solution)-[a-z0-9-]+$/.test(name));
if (unknown !== undefined)
  fail(`There is no condition "${unknown}". Conditions look like lab-process or solution-process.`);

const name = conditions.length === 0 ? 'default' : conditions.join('+');
const out = path.join(root, '.build', name);
const stamp = path.join(out, '.stamp');
const sourceRoots = conditions.length === 0 ? ['engine', 'grader'] : ['engine', 'labs', 'solutions'];

try {
  await oneAtATime(path.join(root, '.build', `${name}.lock`), async () => {
    if (values.force || isStale()) await build();
  });
  giveBack();
} catch (error) {
  if (error.syscall === undefined) throw error;
  // No permission, no space: the message names the call and the path.
  fail(
    `The bundles cannot be written: ${error.message}. Make ${path.join(root, '.build')} writable, or clone elsewhere.`,
  );
}

async function build() {
  fs.mkdirSync(out, { recursive: true });
  // Made by the file system before a source is read: whatever is saved from here on is newer than this build.
  const newStamp = `${stamp}.${process.pid}`;
  fs.writeFileSync(newStamp, '');
  try {
    const broken = await bundle();
    // Without its bundle a command is built again at its next start, while the others need not care.
    for (const [command, parts] of Object.entries(PARTS)) {
      if (parts.some((part) => broken.includes(part))) fs.rmSync(path.join(out, `${command}.cjs`), { force: true });
    }
    fs.renameSync(newStamp, stamp);
  } finally {
    fs.rmSync(newStamp, { force: true });
  }
}

/** What root builds in somebody's clone is that somebody's, who will want to build again. */
function giveBack() {
  const { uid, gid } = fs.statSync(root);
  if (process.getuid?.() !== 0 || uid === 0) return;
  const folder = path.join(root, '.build');
  for (const file of ['', 'node', 'installed', name, ...fs.readdirSync(out).map((entry) => path.join(name, entry))]) {
    if (fs.existsSync(path.join(folder, file))) fs.lchownSync(path.join(folder, file), uid, gid);
  }
}

/** @returns the entries that do not compile. */
async function bundle() {
  const entries = Object.entries(conditions.length === 0 ? { ...ENGINE, ...GRADER } : ENGINE).filter(([, source]) =>
    fs.existsSync(path.join(root, source)),
  );
  if (values.need !== undefined && !entries.some(([entry]) => entry === values.need)) {
    fail(`There is no source to build "${values.need}" from in ${root}. Is the clone complete? Try: git status`);
  }
  const esbuild = createRequire(import.meta.url)('esbuild');
  const options = {
    absWorkingDir: root,
    bundle: true,
    write: false,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    keepNames: true,
    sourcemap: 'linked',
    legalComments: 'linked',
    outdir: out,
    outExtension: { '.js': '.cjs' },
    external: EXTERNAL,
    conditions,
    logLevel: 'silent',
  };
  try {
    const made = await esbuild.build({ ...options, entryPoints: Object.fromEntries(entries) });
    install(made.outputFiles);
    return [];
  } catch (error) {
    if (!Array.isArray(error.errors)) throw error;
  }
  // One source does not compile: the commands that do not need it shall work all the same.
  const broken = [];
  for (const [entry, source] of entries) {
    try {
      const made = await esbuild.build({ ...options, entryPoints: { [entry]: source } });
      install(made.outputFiles);
    } catch (error) {
      if (!Array.isArray(error.errors)) throw error;
      broken.push(entry);
      reportErrors(entry, error.errors);
    }
  }
  return broken;
}

function install(files) {
  for (const file of files) {
    const temporary = `${file.path}.${process.pid}`;
    fs.writeFileSync(temporary, file.contents);
    fs.renameSync(temporary, file.path);
  }
}

function reportErrors(entry, errors) {
  if (values.need !== undefined && !PARTS[values.need].includes(entry)) return;
  const [first] = errors;
  const where = first.location ? `${first.location.file}:${first.location.line}:${first.location.column + 1}` : root;
  const line = first.location?.lineText ? `\n\n    ${first.location.lineText.trim()}\n` : '';
  const more = errors.length > 1 ? `\n(and ${errors.length - 1} more)` : '';
  const whose = /^labs\//.test(first.location?.file ?? '')
    ? 'Your plank does not compile'
    : `${entry} does not compile`;
  console.error(`${whose}.\n${where}: ${first.text}${line}${more}`);
  process.exitCode = 1;
}

function isStale() {
  let built;
  try {
    built = fs.statSync(stamp).mtimeMs;
  } catch {
    return true;
  }
  const files = ['package.json', 'tsconfig.json', 'package-lock.json'].map((file) => path.join(root, file));
  if (files.some((file) => modified(file) > built)) return true;
  if (values.need !== undefined && !fs.existsSync(path.join(out, `${values.need}.cjs`))) return true;
  return sourceRoots.some((folder) => newerIn(path.join(root, folder), built));
}

function newerIn(folder, built) {
  let entries;
  try {
    entries = fs.readdirSync(folder, { withFileTypes: true });
  } catch {
    return false;
  }
  return entries.some((entry) => {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) return newerIn(full, built);
    return /\.(ts|mjs|json)$/.test(entry.name) && !entry.name.endsWith('.test.ts') && modified(full) > built;
  });
}

function modified(file) {
  try {
    return fs.statSync(file).mtimeMs;
  } catch {
    return 0;
  }
}

function fail(sentence) {
  console.error(sentence);
  process.exit(2);
}
