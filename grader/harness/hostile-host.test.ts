/** Submissions that work against the machine and the judge's patience. Each fails, in time, and leaves nothing behind. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { learnerFile, readLabs } from '../lab.ts';
import type { LabReport } from '../report.ts';
import { cgroupRoots } from './end-groups.ts';
import { cmdline, descendants } from './evidence.ts';
import { home } from './home.ts';
import { Judge } from './judge-client.ts';
import { slowness, stopwatch } from './own-time.ts';
import { removeTree } from './remove-tree.ts';
import { runLab } from './run-lab.ts';
import { SESSION_PREFIX } from './session-paths.ts';

const isRoot = process.geteuid?.() === 0;
const folder = path.join(home, 'grader/harness/testdata/hostile');
const labs = readLabs(home);
const lab = (id: string) => labs.find((each) => each.id === id)!;

const submissions: string[] = [];
afterEach(() => {
  for (const each of submissions.splice(0)) removeTree(each);
});

function submit(labId: string, text: string): { file: string; submission: string } {
  const submission = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-hostile-'));
  submissions.push(submission);
  const file = path.join(submission, learnerFile(lab(labId)));
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, text);
  return { file, submission };
}

/** Names of sessions that processes below this one have opened. */
function remains(judges: number[]): string[] {
  const ours = (name: string) => judges.some((pid) => name.startsWith(`${SESSION_PREFIX}${pid}-`));
  const places = [os.tmpdir(), ...cgroupRoots().map((root) => path.join(root, 'skiff'))];
  return places.flatMap((place) =>
    fs.existsSync(place)
      ? fs
          .readdirSync(place)
          .filter(ours)
          .map((name) => path.join(place, name))
      : [],
  );
}

/** Points that what an attack does right beside it may have: `blobPath`, say. */
const HONEST: Record<string, number> = { 'fifo-blob': 10, 'sparse-blob': 20 };

/** What `replaces-programs` writes if the judge runs one of its programs. */
const canary = '/tmp/skiff-canary-of-programs';

const attacks: [name: string, labId: string, sentence: RegExp, needsRoot?: boolean][] = [
  ['freezes-odd-names', 'cgroups', /frozen/, true],
  ['freezes-itself', 'cgroups', /did not return|not tried|frozen/, true],
  ['nests-groups', 'cgroups', /nested/, true],
  ['fifo-blob', 'store', /should be a regular file; it is a FIFO/],
  ['sparse-blob', 'store', /has 2147483648 bytes/],
  ['sleeps', 'layer', /not tried|awake/],
  ['does-nothing', 'rootfs', /\S/],
  ['fails-the-driver', 'what-is-a-container', /EPERM|cannot be replaced/],
  ['hides-its-children', 'namespaces', /\S/],
  ['replaces-programs', 'namespaces', /nothing of mine is right/],
  ['ends-its-child', 'namespaces', /\S/],
];

describe('earns nothing, in time, and leaves nothing', { timeout: 900_000 }, () => {
  // Control groups are given to submissions by root alone.
  test.each(attacks.filter(([, , , needsRoot]) => isRoot || !needsRoot))('%s', async (name, labId, sentence) => {
    const { file, submission } = submit(labId, fs.readFileSync(path.join(folder, `${name}.mjs`), 'utf8'));
    const judge = new Judge();
    const judges: number[] = [];
    const noting = setInterval(() => judges.push(...descendants(process.pid)), 100);
    const elapsed = stopwatch();
    let report: LabReport;
    try {
      report = await runLab({ lab: lab(labId), file, submission, judge });
      // A minute on a quiet machine; five say that it comes to an end.
      expect(elapsed(), messages(report)).toBeLessThan(300_000 * slowness());
      await judge[Symbol.asyncDispose]();
    } finally {
      clearInterval(noting);
      await judge[Symbol.asyncDispose]();
    }
    expect(fs.existsSync(canary), 'a program of the submission ran with the rights of the machine').toBe(false);
    expect(messages(report)).toMatch(sentence);
    expect(report.ungradedPoints, messages(report)).toBe(0);
    expect(report.points, messages(report)).toBeLessThanOrEqual(HONEST[name] ?? 0);
    expect(messages(report)).not.toMatch(/error task|unsupported task|The harness failed/);
    expect(
      descendants(process.pid).filter((pid) => judges.includes(pid) && argumentsOf(pid).includes('judge')),
    ).toEqual([]);
    expect(remains([...new Set(judges)])).toEqual([]);
  });
});

/** [] for a process that has ended. */
function argumentsOf(pid: number): string[] {
  try {
    return cmdline(pid);
  } catch {
    return [];
  }
}

function messages(report: LabReport): string {
  const all = report.tasks.flatMap(({ tests }) => tests);
  return all
    .map(({ title, outcome, message }) => `${outcome} ${title}: ${message?.replaceAll('\n', ' ⏎ ')}`)
    .join(' | ');
}

test('a judge that is killed leaves nothing, and the lab is judged anew', { timeout: 900_000 }, async () => {
  const solution = path.join(home, 'solutions/00-what-is-a-container/membership.ts');
  const { file, submission } = submit('what-is-a-container', fs.readFileSync(solution, 'utf8'));
  await using judge = new Judge();
  await judge.warmUp();
  const killed = descendants(process.pid).find((pid) => argumentsOf(pid).at(-1) === 'judge')!;
  expect(remains([killed]).length).toBeGreaterThan(0);
  process.kill(killed, 'SIGKILL');
  const report = await runLab({ lab: lab('what-is-a-container'), file, submission, judge });
  expect([report.outcome, report.points], messages(report)).toEqual(['passed', 100]);
  expect(remains([killed])).toEqual([]);
});

describe('whatever the umask', { timeout: 900_000 }, () => {
  test.each(['007', '027', '077'])('%s, the solution has full marks', (umask) => {
    const solution = path.join(home, 'solutions/00-what-is-a-container/membership.ts');
    const { submission } = submit('what-is-a-container', fs.readFileSync(solution, 'utf8'));
    const out = path.join(submission, 'report.json');
    const script = `umask ${umask}; exec "$0" "$@"`;
    const args = [path.join(home, 'grade'), 'check', submission, '--json', out, '--markdown', '/dev/null'];
    const done = spawnSync('sh', ['-c', script, ...args], { encoding: 'utf8' });
    expect(done.stderr).toBe('');
    const { points, ungradedPoints } = JSON.parse(fs.readFileSync(out, 'utf8'));
    expect([points, ungradedPoints]).toEqual([100, 0]);
  });
});
