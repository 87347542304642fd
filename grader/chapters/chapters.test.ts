import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readLabs } from '../lab.ts';
import { type Clone, cloneWorkingTree } from './clone.ts';
import { readChapter } from './markdown.ts';

const home = resolve(import.meta.dirname, '../..');
const sections = [
  'Look first',
  'Break it',
  'Background',
  'Invariants',
  'Predict',
  'Tasks',
  'Expected red',
  'Check',
  'Then look at the engine',
  'Test your understanding',
  'Bonus',
];
const labs = readLabs(home).map(({ id, folder }) => ({ id, folder, file: join(folder, 'README.md') }));
const pages = [
  ...labs.map(({ file }) => file),
  ...readdirSync(join(home, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(home, 'docs', name)),
];
const short = (file: string) => file.slice(home.length + 1);

describe.each(labs)('the chapter of $id', ({ folder, file }) => {
  const chapter = readChapter(readFileSync(file, 'utf8'));

  test('has the sections of every chapter, in their order', () => {
    expect(chapter.sections).toEqual(sections);
  });

  test('can be read in one sitting: 900 to 2,000 words', () => {
    expect(chapter.words).toBeGreaterThanOrEqual(900);
    expect(chapter.words).toBeLessThanOrEqual(2000);
  });

  test('comes with a break-it script of at most 40 lines', () => {
    const script = readFileSync(join(folder, 'break-it.sh'), 'utf8');
    expect(script.trimEnd().split('\n').length).toBeLessThanOrEqual(40);
  });

  test('has a worked solution with notes and at least twenty wrong answers and six correct variants', () => {
    const solution = join(home, 'solutions', folder.slice(folder.lastIndexOf('/') + 1));
    expect(existsSync(join(solution, 'NOTES.md'))).toBe(true);
    const wrong = readdirSync(join(solution, 'wrong'));
    expect(wrong.length).toBeGreaterThanOrEqual(20);
    expect(readdirSync(join(solution, 'correct')).length).toBeGreaterThanOrEqual(6);
  });
});

test.each([join(home, 'README.md'), ...pages].map((file) => [short(file), file]))(
  'every link of %s leads somewhere',
  (_, file) => {
    const dangling = readChapter(readFileSync(file, 'utf8')).links.filter(
      (link) => !existsSync(join(dirname(file), link)),
    );
    expect(dangling).toEqual([]);
  },
);

describe('every command a page tells the reader to type works', () => {
  let clone: Clone;
  let state: string;
  beforeAll(() => {
    clone = cloneWorkingTree(home);
    state = mkdtempSync(join(tmpdir(), 'skiff-chapters-'));
  });
  afterAll(async () => {
    await endDaemons();
    rmSync(state, { recursive: true, force: true });
    clone.remove();
  });
  const environment = () => ({
    ...process.env,
    SKIFF_ROOT: join(state, 'engine'),
    NO_COLOR: '1',
    WORKSHOP_NO_INSTALL: '1',
  });

  const blocks = pages.flatMap((file) =>
    readChapter(readFileSync(file, 'utf8')).commands.map(
      (text, index) => [`${short(file)}, block ${index + 1}`, text] as const,
    ),
  );
  test.each(blocks)('%s', (_, text) => {
    const ran = spawnSync('sh', ['-eu', '-c', text], {
      cwd: clone.directory,
      env: environment(),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 110_000,
    });
    expect(ran.status, `${text}\n${ran.stdout}${ran.stderr}`).toBe(0);
  });

  /** The daemons that the commands started, one for each root; the lock of a root holds its daemon's pid. */
  async function endDaemons(): Promise<void> {
    for (const root of readdirSync(state)) {
      const lock = join(state, root, 'lock');
      const pid = existsSync(lock) ? Number(readFileSync(lock, 'utf8')) : 0;
      if (pid === 0 || !existsSync(`/proc/${pid}`)) continue;
      process.kill(pid, 'SIGTERM');
      await vi.waitFor(() => expect(existsSync(`/proc/${pid}`)).toBe(false), 60_000);
    }
  }
});
