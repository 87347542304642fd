/** `grade similarity`: which modules of a class are alike. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { unpack } from '../batch/archive.ts';
import { submissionsOf } from '../batch/batch.ts';
import { innermost } from '../batch/contents.ts';
import { printable } from '../batch/printable.ts';
import { UnreadableArchive } from '../batch/unreadable-archive.ts';
import { findLab } from '../check.ts';
import { writeDocument } from '../export/write-document.ts';
import { readLearnerFile } from '../harness/bundle.ts';
import { home } from '../harness/home.ts';
import { Refused } from '../harness/refused.ts';
import { removeTree } from '../harness/remove-tree.ts';
import { type LabFolder, learnerFile, readLabs } from '../lab.ts';
import { type Compared, compare, type Work } from './compare.ts';
import { type Prints, printsOf } from './prints.ts';
import { similarityPage } from './similarity-page.ts';

interface Options {
  lab: string;
  least: number;
  out?: string;
  json?: boolean;
}

export function addSimilarity(program: Command): void {
  program
    .command('similarity')
    .description('find modules of a class that are alike, whatever their names and order; for you to look at')
    .argument('<submissions>', 'as of grade batch: a folder with one directory or archive each, or a roster')
    .requiredOption('--lab <id>', 'the lab (id, number or folder name)')
    .option('--least <percent>', 'leave out pairs that are less alike', percentOf, 0.4)
    .option('--out <file>', 'write a page with the pairs side by side there')
    .option('--json', 'print the pairs as JSON')
    .addHelpText(
      'after',
      "\nWhat is the starter's, the solution's or most of the class's does not count. It is a reason to look, and no proof." +
        '\n\nExamples:\n  ./grade similarity submissions/ --lab store\n  ./grade similarity roster.csv --lab store --out alike.html',
    )
    .action(similarity);
}

async function similarity(input: string, { lab: typed, least, out, json }: Options): Promise<void> {
  const lab = findLab(readLabs(home), typed);
  const sources = new Map<string, string>();
  const unread: { student: string; why: string }[] = [];
  // Attempts of one student are alike: of several the last one in the roster is compared.
  for (const { student, place } of submissionsOf(input).submissions) {
    try {
      sources.set(student, await sourceIn(place, lab));
    } catch (error) {
      if (!(error instanceof Refused || error instanceof UnreadableArchive)) throw error;
      unread.push({ student, why: error.message });
    }
  }
  const works = [...sources].map(([student, source]): Work => ({ student, prints: printsOf(source) }));
  const compared = compare(works, givenOf(lab), least);
  if (out !== undefined) writeDocument(out, similarityPage(lab, compared, sources), 0o600);
  process.stdout.write(
    json ? `${JSON.stringify(documentOf(lab, compared, unread), null, 2)}\n` : textOf(compared, out),
  );
  for (const { student, why } of unread)
    process.stderr.write(`Not compared: ${printable(student)}: ${printable(why.split('\n')[0]!)}\n`);
}

async function sourceIn(place: string, lab: LabFolder): Promise<string> {
  const inner = innermost(place);
  if (fs.lstatSync(inner).isDirectory()) return readLearnerFile(inner, learnerFile(lab));
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-similarity-'));
  try {
    await unpack(inner, [learnerFile(lab)], scratch);
    return readLearnerFile(scratch, learnerFile(lab));
  } finally {
    removeTree(scratch);
  }
}

/** What every student has been given, or could look up. */
function givenOf({ folder, module }: LabFolder): Prints[] {
  const solution = path.join(home, 'solutions', path.basename(folder), `${module}.ts`);
  const files = [path.join(folder, `${module}.ts`), solution, ...enginesOwn(module)];
  return files.filter((file) => fs.existsSync(file)).map((file) => printsOf(fs.readFileSync(file, 'utf8')));
}

function enginesOwn(module: string): string[] {
  const { imports } = JSON.parse(fs.readFileSync(path.join(home, 'package.json'), 'utf8')) as {
    imports: Record<string, { default: string }>;
  };
  const plank = imports[`#${module}`];
  return plank === undefined ? [] : [path.join(home, plank.default)];
}

function documentOf({ id }: LabFolder, { pairs, given }: Compared, unread: { student: string; why: string }[]) {
  return { schema: 'skiff/similarity/v1', lab: id, pairs, given, unread };
}

function textOf({ pairs, given }: Compared, out: string | undefined): string {
  const lines = [
    ...pairs.map(({ students: [one, other], share, shared }) => {
      const percent = `${Math.round(share * 100)}`.padStart(3);
      return `${percent} %  ${printable(one)} and ${printable(other)}, in ${shared} places`;
    }),
    ...(pairs.length === 0 ? ['No pair is alike.'] : []),
    ...given.map(
      ({ student, share }) =>
        `${printable(student)}: ${Math.round(share * 100)} % is the starter's or the solution's text`,
    ),
    ...(out === undefined ? [] : [`Side by side: ${out}`]),
  ];
  return `${lines.join('\n')}\n`;
}

function percentOf(text: string): number {
  const percent = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (percent <= 100) return percent / 100;
  throw new InvalidArgumentError('It must be a whole number from 0 to 100.');
}
