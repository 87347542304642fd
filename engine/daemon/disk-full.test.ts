import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TestDaemon } from './testing/test-daemon.ts';

const isRoot = process.getuid?.() === 0;
const before = process.env.TMPDIR;
let disk: string;
let daemon: TestDaemon;

beforeEach(async () => {
  if (!isRoot) return;
  disk = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk]);
  process.env.TMPDIR = disk;
  daemon = await TestDaemon.start();
});
afterEach(async () => {
  if (!isRoot) return;
  process.env.TMPDIR = before;
  if (before === undefined) delete process.env.TMPDIR;
  fs.rmSync(path.join(disk, 'fill'), { force: true });
  try {
    expect(await daemon.destroy()).toEqual([]);
  } finally {
    execFileSync('umount', [disk]);
    fs.rmdirSync(disk);
  }
});

/** Write until there is no room for another byte. */
function fill(): void {
  const fd = fs.openSync(path.join(disk, 'fill'), 'w');
  try {
    for (;;) fs.writeSync(fd, Buffer.alloc(4096));
  } catch {
    fs.closeSync(fd);
  }
}

test.skipIf(!isRoot)(
  'on a full disk a container is not made, nothing of it is left, and what runs can be removed',
  async () => {
    const create = () => daemon.post('/containers/create', { Image: 'hostbox', Cmd: ['sleep', '60'] });
    const running = (await create()).json.Id;
    expect((await daemon.post(`/containers/${running}/start`)).status).toBe(204);
    const created = (await create()).json.Id;
    fill();
    const refused = await create();
    expect(refused.status).toBe(500);
    expect(refused.json.message).toMatch(/no space left on the disk .* Make room and try again\./);
    expect((await daemon.post(`/containers/${created}/start`)).status).toBe(500);
    expect(fs.readdirSync(path.join(daemon.root, 'containers')).sort()).toEqual([running, created].sort());
    expect((await daemon.request('DELETE', `/containers/${running}?force=1`)).status).toBe(204);
    fs.rmSync(path.join(disk, 'fill'));
    expect((await daemon.post(`/containers/${created}/start`)).status).toBe(204);
  },
);
