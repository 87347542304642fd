/** A clone of this repository to drive the real launchers in, so that no test ever touches a learner's files. */

import { execFileSync, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const repository = path.resolve(import.meta.dirname, '..', '..', '..');

/** What a learner writes: never copied from the working tree, so that a learner may run these tests too. */
const LEARNER_FILE = /^labs\/[^/]+\/[a-z-]+\.ts$/;

export interface Clone {
  home: string;
  /** Run a launcher without a terminal; colours are off. */
  run: (launcher: string, ...args: string[]) => { status: number | null; stdout: string; stderr: string };
  start: (launcher: string, args: string[], options?: SpawnOptions) => ReturnType<typeof spawn>;
  /** Run git in the clone. */
  git: (...args: string[]) => string;
  read: (file: string) => string;
  write: (file: string, text: string) => void;
  /** As after cloning: no progress, all starters untouched. */
  forget: () => void;
  remove: () => void;
}

/** @param variables of the environment that the launchers get besides ours. */
export function makeClone(variables: NodeJS.ProcessEnv = {}): Clone {
  const parent = fs.mkdtempSync(path.join(os.tmpdir(), 'workshop test '));
  const home = path.join(parent, 'a clone');
  execFileSync('git', ['clone', '--quiet', '--local', repository, home]);
  for (const file of changedFiles()) {
    const target = path.join(home, file);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    if (fs.existsSync(path.join(repository, file))) fs.copyFileSync(path.join(repository, file), target);
    else fs.rmSync(target, { force: true });
  }
  fs.symlinkSync(path.join(repository, 'node_modules'), path.join(home, 'node_modules'));
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    NO_COLOR: '1',
    WORKSHOP_NO_INSTALL: '1',
    HOME: parent,
    ...variables,
  };
  const git = (...args: string[]) => execFileSync('git', ['-C', home, ...args], { encoding: 'utf8' });
  return {
    home,
    run: (launcher, ...args) => {
      const { status, stdout, stderr } = spawnSync(path.join(home, launcher), args, {
        encoding: 'utf8',
        env,
        cwd: home,
        input: '',
      });
      return { status, stdout, stderr };
    },
    start: (launcher, args, options = {}) => spawn(path.join(home, launcher), args, { env, cwd: home, ...options }),
    git,
    read: (file) => fs.readFileSync(path.join(home, file), 'utf8'),
    write: (file, text) => fs.writeFileSync(path.join(home, file), text),
    forget: () => {
      fs.rmSync(path.join(home, '.workshop'), { recursive: true, force: true });
      git('checkout', '--quiet', '--', 'labs');
    },
    remove: () => fs.rmSync(parent, { recursive: true, force: true }),
  };
}

/** What differs from the last commit, without what a learner writes. */
function changedFiles(): string[] {
  const list = (...args: string[]) =>
    execFileSync('git', ['-C', repository, 'ls-files', '-z', ...args], { encoding: 'utf8' })
      .split('\0')
      .filter(Boolean);
  const changed = new Set([...list('--modified'), ...list('--others', '--exclude-standard')]);
  // A link to the packages is not a folder of packages, which .gitignore names.
  return [...changed].filter((file) => !LEARNER_FILE.test(file) && file !== 'node_modules');
}
