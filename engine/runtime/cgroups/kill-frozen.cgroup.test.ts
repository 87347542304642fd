import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { killFrozen } from '../cgroups.ts';
import { mountedHierarchies } from './detect.ts';
import { pidsIn, readKey, removeTree } from './files.ts';

const tree = process.getuid?.() === 0 ? mountedHierarchies().v2?.mountPoint : undefined;
const directory = join(tree ?? '/', `skiff-kill-test-${process.pid}`);

/** A shell, and processes that fork themselves anew and end, over and over: by the time of a signal they are others. */
const script = `
  echo $$ >${directory}/below/cgroup.procs
  run() { (run) & }
  (for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do run; done)
  echo running
  exec sleep 1000`;

test.skipIf(!tree)('without cgroup.kill no process escapes by forking, and none stays frozen', async () => {
  for (let round = 0; round < 5; round++) {
    mkdirSync(join(directory, 'below'), { recursive: true });
    try {
      const shell = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] });
      const ended = once(shell, 'exit');
      await once(shell.stdout, 'data');
      killFrozen(2, [directory], directory);
      expect(await ended).toEqual([null, 'SIGKILL']);
      await expect.poll(() => pidsIn(directory)).toEqual([]);
      expect(readKey(directory, 'cgroup.events', 'frozen')).toBe(0);
    } finally {
      killFrozen(2, [directory], directory);
      await expect.poll(() => removeTree(directory)).toBe(true);
    }
  }
});
