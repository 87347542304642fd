import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Clone, makeClone } from './testing/clone.ts';

const PROCESS = 'labs/01-process/process.ts';
const SOLUTION = 'solutions/01-process/process.ts';

let clone: Clone;
const workshop = (...args: string[]) => clone.run('workshop', ...args);
const progress = () => clone.read('.workshop/progress.txt');

beforeAll(() => {
  clone = makeClone({ VISUAL: '', EDITOR: 'tee edited <' });
  // The first start builds.
  expect(workshop('list')).toMatchObject({ status: 0, stderr: '' });
});
beforeEach(() => clone.forget());
afterAll(() => clone?.remove());

describe('without a terminal', () => {
  test('the bare command prints the map of all labs and one next step, and exits 0', () => {
    const { status, stdout, stderr } = workshop();
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const part of ['Part 0', 'Part 1', 'Part 2', 'Part 3', 'Part 4']) expect(stdout).toContain(part);
    expect(stdout).toMatch(/01 process\b.*rootless/);
    expect(stdout).toMatch(/Part 4 .*to come/);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.length, 'it fits on a screen of 24 lines, with the prompt').toBeLessThan(24);
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80);
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('  ./workshop start what-is-a-container');
  });

  test('with NO_COLOR nothing but text is written', () => {
    const text = ['list', 'doctor', 'progress'].map((command) => workshop(command).stdout).join('');
    expect(text.length).toBeGreaterThan(500);
    expect(text).not.toContain('\x1b');
  });

  test('list --json has every lab of the course with its state', () => {
    const { labs, next } = JSON.parse(workshop('list', '--json').stdout);
    expect(labs).toHaveLength(19);
    expect(labs[1]).toMatchObject({ id: 'process', number: 1, lane: 'rootless', points: 0, file: PROCESS });
    expect(labs[18]).toMatchObject({ id: 'capstone', state: 'planned' });
    expect(next.command).toBe('./workshop start what-is-a-container');
  });
});

test('a reader that reads nothing causes no error', () => {
  const shell = `cd "${clone.home}" && { ./workshop list; echo "ended with $?" >&2; } | true`;
  const { stdout, stderr } = spawnSync('/bin/sh', ['-c', shell], { encoding: 'utf8' });
  expect({ stdout, stderr }).toEqual({ stdout: '', stderr: 'ended with 0\n' });
});

test("what root leaves in the clone of somebody else is that somebody's", (context) => {
  if (process.getuid?.() !== 0) context.skip('only root can give files away');
  const nobody = 65534;
  const home = fs.statSync(clone.home);
  fs.chownSync(clone.home, nobody, nobody);
  try {
    expect(workshop('start', 'process').status).toBe(0);
    for (const file of ['.workshop', '.workshop/progress.txt']) {
      expect(fs.statSync(path.join(clone.home, file)).uid, file).toBe(nobody);
    }
  } finally {
    fs.chownSync(clone.home, home.uid, home.gid);
  }
});

describe('what was typed wrong', () => {
  test.each([
    [['chek'], 'There is no command "chek". Did you mean: ./workshop check'],
    [['start', 'proces'], 'There is no lab "proces". Did you mean "process"?'],
    [
      ['check', 'network'],
      'The lab "network" is part of the course but not written yet. See what there is: ./workshop list',
    ],
    [['hint', '--task', 'two'], '--task must be the number of a task, such as 2, not "two".'],
    [['check', '--nope'], 'See: ./workshop check --help'],
    [['reset'], 'See: ./workshop reset --help'],
  ])('%j is answered with the way out, and exit 2', (args, answer) => {
    const { status, stdout, stderr } = workshop(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(answer);
  });

  test('a progress file full of nonsense causes no error, and is kept', () => {
    fs.mkdirSync(path.join(clone.home, '.workshop'));
    clone.write('.workshop/progress.txt', 'my own note\ncurrent nowhere\npassed process\n\0\n');
    expect(workshop('progress').status).toBe(0);
    expect(workshop('start', 'rootfs').status).toBe(0);
    expect(progress()).toContain('my own note');
    expect(progress()).toMatch(/^passed +process/m);
    expect(progress()).toMatch(/^current +rootfs$/m);
  });
});

test('every command has help with an example', () => {
  const commands = [...workshop('--help').stdout.matchAll(/^ {2}([a-z][a-z-]*) /gm)].map(([, name]) => name ?? '');
  expect(commands).toEqual(
    expect.arrayContaining(['doctor', 'list', 'start', 'check', 'watch', 'hint', 'catch-up', 'test']),
  );
  for (const name of commands)
    expect(workshop(name, '--help').stdout, name).toContain(`Examples:\n  ./workshop ${name}`);
});

describe('a lab', () => {
  test('start says why, what to read and what to write, and is remembered', () => {
    const { status, stdout } = workshop('start', '1');
    expect(status).toBe(0);
    expect(stdout).toContain('labs/01-process/README.md');
    expect(stdout).toContain(PROCESS);
    expect(progress()).toMatch(/^current +process$/m);
    expect(workshop().stdout).toContain('You are in process');
  });

  test('start --edit opens $EDITOR, which may be a piece of shell, on the file', () => {
    const { status } = workshop('start', 'process', '--edit');
    expect(status).toBe(0);
    expect(clone.read('edited')).toBe(clone.read(PROCESS));
  });

  test('the untouched starter is red, the solution is green, and progress says so', () => {
    const red = workshop('check', 'process');
    expect(red.status).toBe(1);
    expect(red.stdout).toContain('not written yet');
    expect(red.stdout).toMatch(/Next: task 1, .*labs\/01-process\/process\.ts:\d+/);
    expect(progress()).toMatch(/^points +process +0\/\d+$/m);

    clone.write(PROCESS, clone.read(SOLUTION));
    const green = workshop('check', 'process', '--json');
    expect(JSON.parse(green.stdout)).toMatchObject({ lab: 'process', passed: true });
    expect(green.status).toBe(0);
    expect(progress(), 'the solution put in is a lab that was skipped').not.toMatch(/^passed/m);
    expect(workshop('list').stdout).toMatch(/01 process .*skipped/);

    clone.write(PROCESS, `${clone.read(SOLUTION)}// My own work.\n`);
    expect(workshop('check', 'process').status).toBe(0);
    expect(progress()).toMatch(/^passed +process +\d{4}-\d\d-\d\d$/m);
  });

  test('hints begin with what the check saw, grow by one a call, and are remembered', () => {
    const levels = [1, 2, 3, 4, 5].map(() => JSON.parse(workshop('hint', 'process', '--json').stdout));
    expect(levels.map(({ level }) => level)).toEqual([0, 1, 2, 3, 3]);
    expect(levels.map(({ hints }) => hints.length)).toEqual([1, 2, 3, 4, 4]);
    expect(levels[0].hints[0]).toContain('Task 1 is not written yet');
    expect(progress()).toMatch(/^hint +process +1 3$/m);
  });

  test("a file that does not compile is the learner's error, named by file and line", () => {
    clone.write(PROCESS, `${clone.read(PROCESS)}\nexport const broken = ;\n`);
    const line = clone.read(PROCESS).trimEnd().split('\n').length;
    const { status, stdout } = workshop('check', 'process');
    expect(status).toBe(1);
    expect(stdout).toContain(`process.ts:${line}`);
  });

  test('diff shows what is written against the engine, function by function, and nothing of what is not', () => {
    const before = workshop('diff', 'process');
    expect(before.status).toBe(0);
    expect(before.stdout).toContain('Nothing of labs/01-process/process.ts is written yet');

    const stub = /export function exitStatus[\s\S]*?\n}\n/;
    const [mine = ''] = stub.exec(clone.read(SOLUTION)) ?? [];
    clone.write(PROCESS, clone.read(PROCESS).replace(stub, mine));
    const { stdout } = workshop('diff', 'process');
    const [engine = ''] = stub.exec(clone.read('engine/runtime/process.ts')) ?? [];
    for (const line of engine.split('\n').filter((text) => !mine.includes(text))) expect(stdout).toContain(`+${line}`);
    expect(stdout).toMatch(/Not written yet, and so not shown: .*\bspawn\b/);
    expect(stdout).not.toContain('prepare');
  });

  test('check --task runs the tests of one task, and keeps what is known of the whole lab', () => {
    const one = JSON.parse(workshop('check', 'process', '--task', '6', '--json').stdout);
    expect(one.tasks.map(({ id }: { id: number }) => id)).toEqual([6]);
    expect(progress()).not.toMatch(/^points +process/m);
    expect(workshop('check', 'process', '--task', '9').stderr).toMatch(/has tasks 1 to \d, and no task 9/);
  });

  test('reset keeps the file in a backup and puts the starter back', () => {
    const starter = clone.read(PROCESS);
    clone.write(PROCESS, '// my work\n');
    const { status, stdout } = workshop('reset', 'process');
    expect(status).toBe(0);
    expect(clone.read(PROCESS)).toBe(starter);
    const [, backup = ''] = /kept as (\S+)\./.exec(stdout) ?? [];
    expect(clone.read(backup)).toBe('// my work\n');
    expect(workshop('reset', 'process').stdout).toContain('nothing was changed');
  });

  test('work that still looks like the starter is put away too', () => {
    const starter = clone.read(PROCESS);
    const mine = `${starter}\n// a note of mine, before the first task\n`;
    clone.write(PROCESS, mine);
    const { stdout } = workshop('catch-up', 'namespaces');
    const [, branch = ''] = /on the branch (\S+)\./.exec(stdout) ?? [];
    expect(clone.git('show', `${branch}:${PROCESS}`)).toBe(mine);
    clone.write(PROCESS, mine);
    const [, backup = ''] = /kept as (\S+)\./.exec(workshop('reset', 'process').stdout) ?? [];
    expect(clone.read(backup)).toBe(mine);
    expect(clone.read(PROCESS)).toBe(starter);
  });

  test('the solution is locked until it passes; giving up opens it and is recorded', () => {
    const locked = workshop('solution', 'process');
    expect({ status: locked.status, stdout: locked.stdout }).toEqual({ status: 1, stdout: '' });
    expect(locked.stderr).toContain('--give-up');
    const open = workshop('solution', 'process', '--give-up');
    expect(open.stdout).toContain(clone.read(SOLUTION).trim());
    expect(progress()).toMatch(/^gave-up +process +\d{4}/m);
    expect(workshop('solution', 'process').status).toBe(0);
  });

  test('catch-up keeps my work on a branch, installs the solutions before the lab, and leaves HEAD and index alone', () => {
    clone.write(PROCESS, '// my work\n');
    const before = clone.git('rev-parse', 'HEAD') + clone.git('diff', '--cached');
    const { status, stdout } = workshop('catch-up', 'namespaces');
    expect(status).toBe(0);
    expect(clone.read(PROCESS)).toBe(clone.read(SOLUTION));
    const [, branch = ''] = /on the branch (\S+)\./.exec(stdout) ?? [];
    expect(clone.git('show', `${branch}:${PROCESS}`)).toBe('// my work\n');
    expect(clone.git('rev-parse', 'HEAD') + clone.git('diff', '--cached')).toBe(before);
    expect(progress()).toMatch(/^current +namespaces$/m);
  });
});

describe('doctor', () => {
  test('says of every lane whether this host has it, with a fix for everything that is missing', () => {
    const { findings, lanes, labs } = JSON.parse(workshop('doctor', '--json').stdout);
    expect(Object.keys(lanes)).toEqual(['pure', 'rootless', 'kernel']);
    expect(lanes.pure).toBeNull();
    expect(labs['what-is-a-container']).toBe(true);
    const kinds = findings.map(({ id }: { id: string }) => id);
    expect(kinds).toEqual(
      expect.arrayContaining(['node', 'koffi', 'pid', 'user', 'overlay', 'disk', 'seccomp', 'cgroup-limits']),
    );
    for (const { status, fix, id } of findings) expect(status === 'ok' || fix !== undefined, id).toBe(true);
  });

  test('leaves neither folder nor cgroup behind', async () => {
    const scratch = fs.mkdtempSync(path.join(clone.home, '..', 'tmp-'));
    const env = { ...process.env, TMPDIR: scratch };
    const child = clone.start('workshop', ['doctor'], { stdio: 'ignore', env });
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
    expect(fs.readdirSync(scratch)).toEqual([]);
    const own = `skiff-doctor-${child.pid}`;
    const hierarchies = ['', 'memory', 'pids', 'cpu'].map((name) => path.join('/sys/fs/cgroup', name));
    expect(hierarchies.filter((folder) => fs.existsSync(path.join(folder, own)))).toEqual([]);
  });
});
