/** A class with known copies: each is found, and no pair among those who worked alone. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parse } from '@babel/parser';
import fc from 'fast-check';
import { JSDOM } from 'jsdom';
import { afterAll, describe, expect, test } from 'vitest';
import { home } from '../harness/home.ts';
import { compare, type Work } from './compare.ts';
import { printsOf } from './prints.ts';

const read = (file: string) => fs.readFileSync(path.join(home, file), 'utf8');

/** Written for other purposes, in one house's style: more alike than the work of strangers. */
const independent = [
  'engine/image/load.ts',
  'engine/image/save.ts',
  'engine/image/commit.ts',
  'engine/image/images.ts',
  'engine/image/garbage.ts',
  'engine/image/snapshots.ts',
  'engine/image/put-layer.ts',
  'engine/image/tar-reader.ts',
  'engine/registry/client/puller.ts',
  'engine/registry/client/tokens.ts',
  'engine/registry/server/uploads.ts',
  'engine/container/volumes.ts',
].map((file) => ({ student: path.basename(file, '.ts'), source: read(file) }));

const plugins = ['typescript' as const, 'explicitResourceManagement' as const];

/** Words that are names only in some places. */
const contextual = new Set(
  'abstract any as asserts async await bigint boolean constructor declare enum from get global implements import infer interface is keyof let module namespace never number object of out override private protected public readonly require satisfies set static string symbol type undefined unique unknown using'.split(
    ' ',
  ),
);

/** Every name another one, consistently. */
function renamed(source: string): string {
  const { tokens } = parse(source, { sourceType: 'module', tokens: true, plugins });
  const names = new Map<string, string>();
  let text = '';
  let at = 0;
  for (const { type, start, end } of tokens as unknown as { type: { label?: string }; start: number; end: number }[]) {
    if (type.label !== 'name') continue;
    const name = source.slice(start, end);
    if (contextual.has(name)) continue;
    names.set(name, names.get(name) ?? `other${names.size}`);
    text += source.slice(at, start) + names.get(name);
    at = end;
  }
  return text + source.slice(at);
}

/** The statements of the module backwards, with a remark before each. */
function moved(source: string): string {
  const { program } = parse(source, { sourceType: 'module', plugins });
  return program.body
    .map(({ start, end }) => source.slice(start!, end!))
    .reverse()
    .map((statement, index) => `// remark ${index}\n${statement}`)
    .join('\n\n');
}

function oneLine(source: string): string {
  const { comments } = parse(source, { sourceType: 'module', plugins });
  const bare = comments!
    .toReversed()
    .reduce((text, { start, end }) => text.slice(0, start!) + text.slice(end!), source);
  return bare.replace(/\s+/g, ' ');
}

const workOf = ({ student, source }: { student: string; source: string }): Work => ({
  student,
  prints: printsOf(source),
});
const pairsOf = (works: Work[], given: string[] = [], least = 0.4) =>
  compare(works, given.map(printsOf), least).pairs.map(({ students }) => students.join(' '));

describe('a class', () => {
  test('of those who worked alone has no pair', () => {
    expect(pairsOf(independent.map(workOf))).toEqual([]);
  });

  test('shows every copy, renamed, moved about, on one line, or all of it', () => {
    const changes: [string, (source: string) => string][] = [
      ['renamed', renamed],
      ['moved', moved],
      ['on one line', oneLine],
      ['all', (source) => oneLine(renamed(moved(source)))],
    ];
    for (const [index, original] of independent.entries()) {
      const [name, change] = changes[index % changes.length]!;
      const copy = { student: `copy, ${name}`, source: change(original.source) };
      const [first, ...rest] = pairsOf([...independent, copy].map(workOf));
      expect([first, rest]).toEqual([`${original.student} copy, ${name}`, []]);
    }
  });

  test('shows half a copy among work of its own', () => {
    const [one, other] = [independent[3]!, independent[8]!];
    const { body } = parse(one.source, { sourceType: 'module', plugins }).program;
    const half = body.slice(0, Math.ceil(body.length / 2)).map(({ start, end }) => one.source.slice(start!, end!));
    const mixed = { student: 'mixed', source: renamed(half.join('\n')) };
    expect(pairsOf([one, other, mixed].map(workOf))).toEqual([`${one.student} mixed`]);
  });

  test('does not count what was given, and tells whose work is hardly anything else', () => {
    const starter = independent[0]!.source;
    const works = ['ada', 'bob'].map((student) => workOf({ student, source: renamed(starter) }));
    expect(pairsOf(works, [starter])).toEqual([]);
    expect(compare(works, [printsOf(starter)], 0.4).given.map(({ student }) => student)).toEqual(['ada', 'bob']);
    const added = works.map(({ student }, index) =>
      workOf({ student, source: `${starter}\n${independent[index + 1]!.source}` }),
    );
    expect(pairsOf(added, [starter])).toEqual([]);
  });

  test('has the same pairs whatever the order of the students', () => {
    const copy = { student: 'copy', source: renamed(independent[2]!.source) };
    const works = [...independent.slice(0, 5), copy].map(workOf);
    fc.assert(
      fc.property(fc.shuffledSubarray(works, { minLength: works.length }), (order) => {
        const { pairs } = compare(order, [], 0.4);
        expect(pairs.map(({ students }) => [...students].sort())).toEqual([['commit', 'copy']]);
      }),
      { numRuns: 20 },
    );
  });
});

test('odd text is cut into tokens as well, in time that grows as its length does', () => {
  for (const odd of [
    '',
    ';',
    'a\u0000b',
    'x'.repeat(1 << 20),
    '[]'.repeat(1 << 17),
    '`${'.repeat(1 << 16),
    '/'.repeat(1 << 16),
  ])
    expect(printsOf(odd).size).toBeLessThan(100);
  // Each level doubles the work of a parser that tries it as a function first.
  const casts = (levels: number) => `${'<a>('.repeat(levels)}x${')'.repeat(levels)}`;
  expect(printsOf(casts(100_000)).size).toBeGreaterThan(0);
});

describe('the command', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-similarity-'));
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
  const FILE = 'labs/07-store/store.ts';
  const submit = (student: string, source: string) => {
    fs.mkdirSync(path.join(folder, 'class', student, path.dirname(FILE)), { recursive: true });
    fs.writeFileSync(path.join(folder, 'class', student, FILE), source);
  };
  const grade = (...args: string[]) =>
    spawnSync(path.join(home, 'grade'), ['similarity', 'class', ...args], { cwd: folder, encoding: 'utf8' });

  test('ranks pairs, leaves what cannot be read to people, and shows both sides', () => {
    submit('ada', independent[5]!.source);
    submit('bob', moved(renamed(independent[5]!.source)));
    submit('<b>carol', independent[6]!.source);
    submit('dave', read('solutions/07-store/store.ts'));
    submit('eve', '(((((');
    fs.mkdirSync(path.join(folder, 'class/fay'));
    const { stdout, stderr, status } = grade('--lab', 'store', '--out', 'alike.html');
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /^\s*\d+ % {2}ada and bob, in \d+ places\ndave: 100 % is the starter's or the solution's text\n/,
    );
    expect(stderr).toMatch(/Not compared: fay: labs\/07-store\/store\.ts is not there/);
    const { document } = new JSDOM(fs.readFileSync(path.join(folder, 'alike.html'), 'utf8')).window;
    expect([...document.querySelectorAll('h3')].map(({ textContent }) => textContent)).toEqual(['ada', 'bob']);
    expect(document.querySelectorAll('mark').length).toBeGreaterThan(50);
    expect(document.querySelectorAll('b, script').length).toBe(0);
    const json = JSON.parse(grade('--lab', '7', '--json').stdout) as { pairs: { students: string[] }[] };
    expect(json.pairs.map(({ students }) => students)).toEqual([['ada', 'bob']]);
  });

  test.each([
    [['--lab', 'stor'], /Did you mean "store"/],
    [['--lab', 'store', '--least', '101'], /whole number from 0 to 100/],
    [[], /--lab/],
  ])('%j is refused', (args, message) => {
    const { status, stderr } = grade(...args);
    expect([status, stderr]).toEqual([2, expect.stringMatching(message)]);
  });
});
