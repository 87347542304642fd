/** A clone of this repository as a reader would have it, for commands that change the tree they run in. */

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface Clone {
  directory: string;
  remove(): void;
}

/** Everything git knows or would take, as it is in the working tree, with the packages that are installed already. */
export function cloneWorkingTree(home: string): Clone {
  const directory = mkdtempSync(join(tmpdir(), 'skiff-clone-'));
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: home,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  for (const file of files.split('\0').filter(Boolean)) {
    if (!existsSync(join(home, file))) continue;
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    cpSync(join(home, file), join(directory, file), { verbatimSymlinks: true });
  }
  symlinkSync(join(home, 'node_modules'), join(directory, 'node_modules'));
  execFileSync(
    'sh',
    ['-c', 'git init -q && git add -A && git -c user.name=clone -c user.email=clone@example commit -qm clone'],
    {
      cwd: directory,
    },
  );
  mkdirSync(join(directory, '.build'));
  writeFileSync(join(directory, '.build/installed'), '');
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}
