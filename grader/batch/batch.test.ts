/** The command `grade batch`, as an instructor runs it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import zlib from 'node:zlib';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { home } from '../harness/home.ts';
import { type Entry, entryFile, entrySchema } from './entry.ts';
import type { Summary } from './summary.ts';

const FILE = 'labs/00-what-is-a-container/membership.ts';
const solution = fs.readFileSync(path.join(home, 'solutions/00-what-is-a-container/membership.ts'), 'utf8');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-batch-'));
const running = new Set<ChildProcess>();
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
  fs.rmSync(folder, { recursive: true, force: true });
});

function start(...args: string[]): ChildProcess {
  const child = spawn(path.join(home, 'grade'), ['batch', ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1' },
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** With modes that count for root as well. capabilities(7) */
function startHeld(...args: string[]): ChildProcess {
  const held = ['--bounding-set', '-dac_override,-dac_read_search', path.join(home, 'grade'), 'batch', ...args];
  const [program, ...rest] = process.getuid?.() === 0 ? ['setpriv', ...held] : held.slice(2);
  const child = spawn(program!, rest, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

async function grade(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const child = start(...args);
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    once(child, 'close'),
  ]);
  return { status, stdout, stderr };
}

function submit(name: string, source: string): void {
  fs.mkdirSync(path.dirname(path.join(folder, name, FILE)), { recursive: true });
  fs.writeFileSync(path.join(folder, name, FILE), source);
}

const fileOf = (out: string, student: string) => entryFile(path.join(folder, out), student);
const entryOf = (out: string, student: string): Entry =>
  entrySchema.parse(JSON.parse(fs.readFileSync(fileOf(out, student), 'utf8')));
const withoutTimes = (out: string, student: string) =>
  fs.readFileSync(fileOf(out, student), 'utf8').replace(/"(durationMs|gradedAt)": [^,\n]+/g, '"$1"');
/** A file that is written again is another one. */
const inodeOf = (out: string, student: string) => fs.statSync(fileOf(out, student)).ino;

/** Processes that judge for a batch. */
function judgesOf(pid: number): number[] {
  try {
    const children = fs
      .readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .split(' ')
      .filter(Boolean)
      .map(Number);
    return children.filter((child) => fs.readFileSync(`/proc/${child}/cmdline`, 'utf8').endsWith('grade.cjs\0judge\0'));
  } catch {
    return []; // One has ended meanwhile.
  }
}

describe('a folder of submissions', () => {
  const honest = ['ada', 'dora'];
  beforeAll(async () => {
    for (const name of honest) submit(`class/${name}`, solution);
    submit('class/exits', 'process.exit(0);');
    submit('class/wrong', 'export const {');
    fs.mkdirSync(path.join(folder, 'class/nothing'));
    fs.writeFileSync(path.join(folder, 'class/broken.zip'), 'PK');
    const archive = pack();
    archive.entry({ name: `course-main/${FILE}` }, solution);
    archive.finalize();
    const pieces: Uint8Array[] = [];
    for await (const piece of archive) pieces.push(piece as Uint8Array);
    fs.writeFileSync(path.join(folder, 'class/packed.tar.gz'), zlib.gzipSync(Buffer.concat(pieces)));
  });

  test('has one result each, and a summary as text and as JSON', async () => {
    const { status, stdout, stderr } = await grade('class', '--out', 'out', '--seed', '5', '--jobs', '2', '--json');
    expect(status, stderr).toBe(0);
    const summary = JSON.parse(stdout) as Summary;
    expect(JSON.parse(fs.readFileSync(path.join(folder, 'out/summary.json'), 'utf8'))).toEqual(summary);
    expect(summary.submissions.map(({ student, state, points }) => [student, state, points])).toEqual([
      ['ada', 'graded', 100],
      ['dora', 'graded', 100],
      ['exits', 'graded', 0],
      ['nothing', 'empty', null],
      ['wrong', 'graded', 0],
      ['broken', 'unreadable', null],
      ['packed', 'graded', 100],
    ]);
    expect(stderr.trim().split('\n')).toHaveLength(7);
    expect(stderr).toMatch(/^\[\d of 7\] packed: 100 of 100 points$/m);
  });

  test('is not graded again by the next run, which says the same', async () => {
    const before = fs.readFileSync(path.join(folder, 'out/summary.json'), 'utf8');
    const { status, stdout, stderr } = await grade('class', '--out', 'out');
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain('5 of 7 submissions graded\n1 without any file of a lab\n  nothing: ');
    expect(stdout).toContain('  broken: The archive cannot be read: it is damaged');
    expect(fs.readFileSync(path.join(folder, 'out/summary.json'), 'utf8')).toBe(before);
  });

  test('is graded again where files changed, and only there', async () => {
    const before = inodeOf('out', 'ada');
    submit('class/wrong', solution);
    const { stderr } = await grade('class', '--out', 'out');
    expect(stderr).toBe('[1 of 1] wrong: 100 of 100 points\n');
    expect(inodeOf('out', 'ada')).toBe(before);
  });

  test('has the same results but for times, from the same seed', async () => {
    submit('again/ada', solution);
    submit('again/exits', 'process.exit(0);');
    await grade('again', '--out', 'out-again', '--seed', '5');
    for (const name of ['ada', 'exits']) expect(withoutTimes('out-again', name)).toBe(withoutTimes('out', name));
  });

  test('gives no points for a lab that was asked for and has no file', async () => {
    submit('asked/ada', solution);
    const { stdout } = await grade('asked', '--lab', '0', 'store', '--out', 'out-asked', '--json');
    const { submissions, labs } = JSON.parse(stdout) as Summary;
    expect(labs).toEqual(['what-is-a-container', 'store']);
    expect(submissions[0]!.labs.map(({ points }) => points)).toEqual([100, 0]);
    expect(entryOf('out-asked', 'ada').report!.labs[1]!.tasks[0]!.tests[0]!.message).toContain('is not there');
  });
});

describe('a batch that is ended by kill -9', () => {
  const students = ['s1', 's2', 's3'];

  test('goes on where it was, without grading anything twice, and leaves nothing behind', async () => {
    for (const name of students) submit(`killed/${name}`, solution);
    const child = start('killed', '--out', 'out-killed', '--jobs', '1');
    await once(createInterface(child.stderr!), 'line');
    // The next one is under way, held to one CPU.
    await expect.poll(() => judgesOf(child.pid!)).toHaveLength(1);
    const [judge] = judgesOf(child.pid!);
    const status = () => fs.readFileSync(`/proc/${judge}/status`, 'utf8');
    await expect.poll(status).toMatch(/^Cpus_allowed_list:\s*\d+$/m);
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    const done = students.filter((name) => fs.existsSync(fileOf('out-killed', name)));
    const before = done.map((name) => inodeOf('out-killed', name));
    const seed = entryOf('out-killed', 's1').fingerprint.seed;

    const again = await grade('killed', '--out', 'out-killed', '--jobs', '1', '--json');
    expect(again.stderr.trim().split('\n')).toHaveLength(students.length - done.length);
    expect(done.map((name) => inodeOf('out-killed', name))).toEqual(before);
    const summary = JSON.parse(again.stdout) as Summary;
    expect(summary.submissions.map(({ points }) => points)).toEqual([100, 100, 100]);
    expect(summary.seed).toBe(seed);
    expect(fs.readdirSync(path.join(folder, 'out-killed')).sort()).toEqual([
      'batch.json',
      'lock',
      'submissions',
      'summary.json',
    ]);
    const left = () => fs.readdirSync(os.tmpdir()).filter((name) => name.startsWith(`skiff-grade-${judge}-`));
    await expect.poll(left).toEqual([]);
  });

  test('holds its results for itself while it runs', async () => {
    submit('held/ada', 'for (;;) {}');
    const child = start('held', '--out', 'out-held');
    await expect.poll(() => judgesOf(child.pid!)).toHaveLength(1);
    const { status, stderr } = await grade('held', '--out', 'out-held');
    expect(stderr).toContain('Another grade batch is writing to');
    expect(status).toBe(2);
    child.kill('SIGKILL');
  });
});

test('a fault of the grader is tried again, then reported as error, and --only error grades just that one', async () => {
  submit('faulty/ada', solution);
  fs.mkdirSync(path.join(folder, 'faulty/zoe'));
  const child = start('faulty', '--out', 'out-faulty', '--jobs', '1');
  const killed = new Set<number>();
  const killing = setInterval(() => {
    for (const judge of judgesOf(child.pid!)) {
      killed.add(judge);
      process.kill(judge, 'SIGKILL');
    }
  }, 20);
  const [stdout, [status]] = await Promise.all([text(child.stdout!), once(child, 'close'), text(child.stderr!)]);
  clearInterval(killing);
  expect(status).toBe(1);
  expect(stdout).toContain('1 with a fault of the grader: run the same command with --only error\n  ada: ');
  // Twice by the harness, and once more the same.
  expect(killed.size).toBeGreaterThanOrEqual(4);
  const { state, report } = entryOf('out-faulty', 'ada');
  expect([state, report!.points, report!.ungradedPoints]).toEqual(['error', 0, 100]);

  const kept = await grade('faulty', '--out', 'out-faulty');
  expect([kept.status, kept.stderr]).toEqual([1, '']);
  fs.mkdirSync(path.join(folder, 'faulty/new'));
  const only = await grade('faulty', '--out', 'out-faulty', '--only', 'error');
  expect(only.stderr).toBe('[1 of 1] ada: 100 of 100 points\n');
  expect(only.stdout).toContain('1 not graded yet: run the same command without --only\n  new');
  expect(only.status).toBe(0);
});

test('each submission has inputs of its own, the same ones every time, unless a seed is given', async () => {
  submit('attempts/one', solution);
  submit('attempts/two', `${solution}// another attempt\n`);
  await grade('attempts', '--out', 'out-attempts');
  const seeds = () => ['one', 'two'].map((student) => entryOf('out-attempts', student).report!.seed);
  const first = seeds();
  expect(first[0]).not.toBe(first[1]);
  fs.rmSync(fileOf('out-attempts', 'one'));
  await grade('attempts', '--out', 'out-attempts');
  expect(seeds()).toEqual(first);
  await grade('attempts', '--out', 'out-attempts', '--seed', '7');
  expect(seeds()).toEqual([7, 7]);
});

test('--only error shows no result of other labs or another seed', async () => {
  fs.mkdirSync(path.join(folder, 'older/ada'), { recursive: true });
  await grade('older', '--out', 'out-older', '--seed', '1');
  for (const args of [
    ['--lab', 'store'],
    ['--seed', '2'],
  ]) {
    const { stdout, stderr } = await grade('older', '--out', 'out-older', '--only', 'error', ...args);
    expect(stdout, stderr).toContain(
      '1 not graded yet: run the same command without --only\n  ada: its result is of an earlier run',
    );
  }
});

describe('what is wrong with one submission ends no batch', () => {
  test('a name that is not UTF-8, and modes that are in the way', async () => {
    for (const name of ['eve', 'locked/labs', 'closed'])
      fs.mkdirSync(path.join(folder, 'odd', name), { recursive: true });
    fs.mkdirSync(Buffer.concat([Buffer.from(path.join(folder, 'odd/eve/caf')), Buffer.from([0xe9])]));
    fs.writeFileSync(path.join(folder, 'odd/sealed.zip'), 'PK');
    const modes = ['odd/locked/labs', 'odd/closed', 'odd/sealed.zip'].map((name) => path.join(folder, name));
    for (const name of modes) fs.chmodSync(name, 0);
    try {
      const child = startHeld('odd', '--out', 'out-odd', '--json');
      const [stdout, stderr] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'close')]);
      expect(stdout, stderr).not.toBe('');
      const { submissions } = JSON.parse(stdout) as Summary;
      expect(submissions.map(({ student, state }) => [student, state])).toEqual([
        ['closed', 'unreadable'],
        ['eve', 'empty'],
        ['locked', 'unreadable'],
        ['sealed', 'unreadable'],
      ]);
      for (const { student, reason } of submissions) if (student !== 'eve') expect(reason).toContain('chmod');
    } finally {
      for (const name of modes) fs.chmodSync(name, 0o700);
    }
  });
});

describe('what lies in the directory of the results stays', () => {
  test.each(['unpacked', '.skiff-unpacked-Abc123-work'])('submissions in %s', async (name) => {
    fs.mkdirSync(path.join(folder, `beside-${name}/${name}/ada`), { recursive: true });
    fs.writeFileSync(path.join(folder, `beside-${name}/${name}/ada/notes`), 'mine');
    const { status, stderr } = await grade(`beside-${name}/${name}`, '--out', `beside-${name}`);
    expect(stderr).toContain('ada: empty');
    expect(status).toBe(0);
    expect(fs.readFileSync(path.join(folder, `beside-${name}/${name}/ada/notes`), 'utf8')).toBe('mine');
    expect(fs.readdirSync(path.join(folder, `beside-${name}`)).filter((each) => /unpacked-.{6}$/.test(each))).toEqual(
      [],
    );
  });

  test.each(['submissions', '.skiff-unpacked-Abc123'])('submissions in %s, which a batch writes to', async (name) => {
    fs.mkdirSync(path.join(folder, `among/${name}/ada`), { recursive: true });
    const before = fs.readdirSync(path.join(folder, 'among'), { recursive: true });
    const { status, stderr } = await grade(`among/${name}`, '--out', 'among');
    expect(stderr).toMatch(/would be written among the submissions: "ada" is .* another directory with --out/);
    expect(status).toBe(2);
    expect(fs.readdirSync(path.join(folder, 'among'), { recursive: true })).toEqual(before);
  });

  test.each(['lock', 'batch.json', 'summary.json', 'summary.json.new'])('a file %s of somebody else', async (name) => {
    const out = path.join(folder, `foreign-${name}`);
    fs.mkdirSync(path.join(folder, 'few/ada'), { recursive: true });
    fs.mkdirSync(out);
    fs.writeFileSync(path.join(out, name), '{"mine": 1}');
    const { status, stderr } = await grade('few', '--out', out, '--seed', '1');
    expect(stderr).toContain(`${name} was not written by grade batch`);
    expect(status).toBe(2);
    expect(fs.readFileSync(path.join(out, name), 'utf8')).toBe('{"mine": 1}');
    expect(fs.readdirSync(out)).toEqual([name]);
  });

  test('what a batch that was ended left is removed', async () => {
    fs.mkdirSync(path.join(folder, 'few/ada'), { recursive: true });
    fs.mkdirSync(path.join(folder, 'left/.skiff-unpacked-Abc123/0'), { recursive: true });
    fs.writeFileSync(path.join(folder, 'left/summary.json.new'), '{\n  "sch');
    expect((await grade('few', '--out', 'left')).status).toBe(0);
    expect(fs.readdirSync(path.join(folder, 'left')).sort()).toEqual([
      'batch.json',
      'lock',
      'submissions',
      'summary.json',
    ]);
  });
});

describe('bad input is a sentence and exit code 2', () => {
  beforeAll(() => {
    submit('good/ada', solution);
    fs.mkdirSync(path.join(folder, 'blank'));
    fs.writeFileSync(path.join(folder, 'blank.csv'), 'student,submission\n');
    fs.writeFileSync(path.join(folder, 'text.txt'), '');
  });

  test.each([
    ['no such folder', ['nowhere'], /There is no nowhere\. Give a folder of submissions, or a roster/],
    ['neither folder nor roster', ['text.txt'], /text\.txt is neither a folder of submissions nor a roster/],
    ['an empty folder', ['blank'], /blank holds no submissions/],
    ['an empty roster', ['blank.csv'], /blank\.csv has no students/],
    ['an unknown lab', ['good', '--lab', 'stroe'], /There is no lab "stroe"\. Did you mean "store"\?/],
    ['a number of jobs that is not one', ['good', '--jobs', '0'], /must be a whole number from 1 to 256/],
    ['an unknown state', ['good', '--only', 'failed'], /Allowed choices are error/],
    ['--only before anything was graded', ['good', '--out', 'fresh', '--only', 'error'], /has no results yet/],
    ['results in a submission', ['good', '--out', 'good/ada/out'], /lies in it/],
    [
      'results in the folder of submissions',
      ['good', '--out', 'good/grades'],
      /lies in good, .* --out \S+\/grades\.$/m,
    ],
    ['results where a file is', ['good', '--out', 'text.txt'], /cannot be kept in text\.txt/],
  ])('%s', async (_, args, sentence) => {
    const { status, stderr } = await grade(...args);
    expect(stderr).toMatch(sentence);
    expect(status).toBe(2);
  });
});
