/** The command `grade check`, as an instructor runs it. */

import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { home } from './harness/home.ts';
import { learnerFile, readLabs, titlesOf } from './lab.ts';
import { allVariants } from './proof/variants.ts';
import { type Report, reportSchema } from './report.ts';
import { reportJsonSchema, schemaFile } from './report-schema.ts';

const labs = readLabs(home);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-submission-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

function grade(...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(path.join(home, 'grade'), args, {
    encoding: 'utf8',
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1' },
  });
}

/** Put the solutions of some labs where a learner's files would be. */
function submit(name: string, ids: string[]): string {
  const submission = path.join(folder, name);
  for (const lab of labs.filter(({ id }) => ids.includes(id))) {
    const target = path.join(submission, learnerFile(lab));
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.copyFileSync(path.join(home, 'solutions', path.basename(lab.folder), `${lab.module}.ts`), target);
  }
  return submission;
}

describe('a submission that can be graded', () => {
  let done: SpawnSyncReturns<string>;
  let report: Report;
  beforeAll(() => {
    const submission = submit('ada', ['what-is-a-container']);
    // What else a submission brings along is its own business.
    fs.writeFileSync(
      path.join(submission, 'package.json'),
      '{"type":"commonjs","imports":{"#contract/*":"./mine.ts"}}',
    );
    fs.writeFileSync(path.join(submission, 'tsconfig.json'), '{ this is not JSON');
    fs.writeFileSync(path.join(submission, 'vitest.config.ts'), 'process.exit(0)');
    fs.writeFileSync(path.join(submission, 'labs/00-what-is-a-container/membership.test.ts'), 'throw new Error()');
    fs.writeFileSync(path.join(submission, 'labs/00-what-is-a-container/lab.json'), '{"tasks":[]}');
    done = grade('check', 'ada', '--json', 'out.json', '--markdown', 'out.md');
    report = reportSchema.parse(JSON.parse(fs.readFileSync(path.join(folder, 'out.json'), 'utf8')));
  });

  test('is graded with exit code 0, by this clone’s suites and settings only', () => {
    expect(done.stderr).toBe('');
    expect(done.status).toBe(0);
    expect([report.points, report.maxPoints]).toEqual([100, 100]);
  });

  test('has one report for every test that lab.json lists', () => {
    const [lab] = labs;
    expect(report.labs.map(({ lab }) => lab)).toEqual(['what-is-a-container']);
    expect(report.labs[0]!.tasks.flatMap(({ tests }) => tests.map(({ title }) => title))).toEqual(titlesOf(lab!));
  });

  test('has a summary for people, on the terminal and as Markdown', () => {
    expect(done.stdout).toContain('00 What is a container?  100 of 100 points');
    expect(done.stdout).toContain('Report: out.json, out.md');
    expect(fs.readFileSync(path.join(folder, 'out.md'), 'utf8')).toMatch(/^# 100 of 100 points\n/);
  });

  test('has a report that fits the published schema', () => {
    const schema = JSON.parse(fs.readFileSync(schemaFile, 'utf8')) as object;
    const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(schema);
    expect(validate(report), JSON.stringify(validate.errors)).toBe(true);
    expect(validate({ ...report, surprise: true })).toBe(false);
  });
});

test('the published schema is the one of the code', () => {
  expect(fs.readFileSync(schemaFile, 'utf8'), 'write it anew: npx tsx grader/report-schema.ts').toBe(
    reportJsonSchema(),
  );
});

test('a wrong submission is graded, too: exit code 0, no points for what fails, and the reason', () => {
  const submission = submit('bob', ['what-is-a-container']);
  const wrong = allVariants()[0]!.wrong.find(({ name }) => name === 'path-cut-at-a-colon')!;
  fs.writeFileSync(path.join(submission, 'labs/00-what-is-a-container/membership.ts'), wrong.source());
  const done = grade('check', 'bob', '--lab', '0', '--json', '-');
  expect(done.status).toBe(0);
  const report = reportSchema.parse(JSON.parse(done.stdout));
  expect(report.points).toBeLessThan(report.maxPoints);
  expect(report.points).toBeGreaterThan(0);
  expect(done.stderr).toMatch(/✘ a path keeps its colons.*\n\s+\S/);
});

/** A socket's name stays when its process ends without closing it. */
const BIND = "require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))";

describe('a report for every submission', () => {
  /** Where the report of a run without options was written. */
  const reportOf = (done: { stdout: string }) => /Report: (\S+?\.json),/.exec(done.stdout)?.[1] ?? '';
  const kept: string[] = [];
  afterAll(() => {
    for (const file of kept) for (const ending of ['json', 'md']) fs.rmSync(file.replace(/json$/, ending));
  });

  function gradeBytes(submission: Buffer) {
    // spawn takes text only; a shell can write any byte.
    const octal = [...submission].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
    const script = `exec "$0" check "$(printf '${octal}')" --lab 0`;
    const done = spawnSync('sh', ['-c', script, path.join(home, 'grade')], { encoding: 'utf8', cwd: folder });
    const file = reportOf(done);
    if (file !== '') kept.push(file);
    return { done, file };
  }

  function put(submission: Buffer, make: (file: Buffer) => void): void {
    const place = Buffer.concat([Buffer.from(`${folder}/`), submission]);
    fs.mkdirSync(Buffer.concat([place, Buffer.from('/labs/00-what-is-a-container')]), { recursive: true });
    make(Buffer.concat([place, Buffer.from('/labs/00-what-is-a-container/membership.ts')]));
  }

  const broken = (file: Buffer) => fs.writeFileSync(file, 'export const {');

  test('two of the same name have one each', () => {
    const files = ['monday/eva', 'tuesday/eva'].map((name) => {
      put(Buffer.from(name), broken);
      return gradeBytes(Buffer.from(name)).file;
    });
    expect(new Set(files).size).toBe(2);
    for (const file of files) expect(JSON.parse(fs.readFileSync(file, 'utf8')).points).toBe(0);
  });

  test.each([
    ['253 characters', Buffer.from('n'.repeat(253))],
    ['63 characters of four bytes', Buffer.from('🛶'.repeat(63))],
    ['bytes that are not text', Buffer.from([0x61, 0xff, 0xfe, 0x62])],
    ['a line feed and an escape', Buffer.from('a\n\x1b[31mb')],
  ])('a name of %s', (_, name) => {
    put(name, broken);
    const { done, file } = gradeBytes(name);
    expect(done.stderr).toBe('');
    expect(done.status).toBe(0);
    expect(JSON.parse(fs.readFileSync(file, 'utf8')).points).toBe(0);
  });

  test.each([
    ['a socket', (file: string) => spawnSync(process.execPath, ['-e', BIND, file])],
    ['a FIFO', (file: string) => spawnSync('mkfifo', [file])],
    ['a directory', (file: string) => fs.mkdirSync(file)],
  ])('a module that is %s is a zero', (kind, make) => {
    const name = kind.replace(' ', '-');
    put(Buffer.from(name), (file) => make(file.toString()));
    const { done, file } = gradeBytes(Buffer.from(name));
    expect(done.stderr).toBe('');
    expect(done.status).toBe(0);
    const { points, ungradedPoints } = JSON.parse(fs.readFileSync(file, 'utf8'));
    expect([points, ungradedPoints]).toEqual([0, 0]);
    expect(fs.readFileSync(file, 'utf8')).toMatch(/is not a regular file/);
  });
});

describe('bad input is a sentence and exit code 2', () => {
  beforeAll(() => {
    submit('eve', ['process']);
    fs.mkdirSync(path.join(folder, 'empty'));
    fs.writeFileSync(path.join(folder, 'file'), '');
  });

  test.each([
    ['no such directory', ['check', 'nowhere'], /There is no directory nowhere/],
    ['a file', ['check', 'file'], /file is not a directory/],
    ['no learner files', ['check', 'empty'], /empty has none of the files that labs are graded from: labs\/00-/],
    ['an unknown lab', ['check', 'eve', '--lab', 'proces'], /There is no lab "proces". Did you mean "process"\?/],
    ['a lab without its file', ['check', 'eve', '--lab', 'rootfs'], /eve has no labs\/03-rootfs\/rootfs\.ts/],
    [
      'a report that cannot be written',
      ['check', 'eve', '--json', 'no/such/out'],
      /cannot be written to no\/such\/out/,
    ],
    ['a full disk', ['check', 'eve', '--lab', 'process', '--json', '/dev/full'], /disk is full/],
    ['no arguments', ['check'], /missing required argument/],
    ['an unknown option', ['check', 'eve', '--jsn'], /unknown option '--jsn'\n.*Did you mean --json/],
  ])('%s', (_, args, sentence) => {
    const done = grade(...args);
    expect(done.stderr).toMatch(sentence);
    expect(done.status).toBe(2);
  });
});
