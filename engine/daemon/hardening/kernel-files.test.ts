/** The machine's own files and devices, as root of a default container finds them in /proc, /sys and by mknod. */

import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerIsMissing, TestDaemon } from '../testing/test-daemon.ts';
import { attack } from './testing/attacker.ts';

const missing = process.getuid?.() === 0 ? dockerIsMissing() : 'needs root';

/** Opened to write and closed again: nothing is ever written. */
const settings = [
  '/proc/sysrq-trigger',
  '/proc/sys/kernel/core_pattern',
  '/proc/sys/kernel/modprobe',
  '/proc/sys/kernel/hostname',
  '/proc/sys/kernel/panic',
  '/proc/sys/vm/overcommit_memory',
  '/proc/sys/vm/drop_caches',
  '/proc/sys/fs/file-max',
  '/proc/irq/default_smp_affinity',
  '/sys/kernel/uevent_helper',
  '/sys/kernel/mm/transparent_hugepage/enabled',
  '/sys/power/state',
  '/sys/kernel/profiling',
];

/** `major minor` of a disk of the host's. */
const disk = readFileSync('/proc/partitions', 'utf8')
  .split('\n')
  .slice(2)
  .map((line) => line.trim().split(/\s+/))
  .find(([, , blocks]) => Number(blocks) > 0);

/** Some hosts keep their disk from their own root. */
function isReadable(name: string): boolean {
  try {
    closeSync(openSync(`/dev/${name}`, 'r'));
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(missing)(`the kernel's files${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    daemon = await TestDaemon.start();
  });
  afterAll(async () => {
    expect(await daemon?.destroy()).toEqual([]);
  });

  const shell = async (script: string, ...options: string[]) => {
    const { stdout, stderr } = await daemon.docker('run', '--rm', ...options, 'hostbox', 'sh', '-c', script);
    return stdout + stderr;
  };
  /** `PATH ok` or `PATH and why not`, by the exit of a shell that opens it. */
  const openEach = `for f in ${settings.join(' ')}; do [ -e $f ] || continue; (: >> $f) 2>/dev/null && echo $f ok || echo $f no; done`;

  test('sysrq-trigger, core_pattern, modprobe and what else sets the machine cannot be opened to write', async () => {
    const [guarded, privileged] = [await shell(openEach), await shell(openEach, '--privileged')];
    expect(guarded).toContain('/proc/sys/kernel/core_pattern no');
    expect(guarded).not.toMatch(/ ok$/m);
    expect(privileged).toContain('/proc/sys/kernel/core_pattern ok');
    // A kernel without the key has no such file.
    if (existsSync('/proc/sysrq-trigger')) {
      expect(guarded).toContain('/proc/sysrq-trigger no');
      expect(privileged).toContain('/proc/sysrq-trigger ok');
    }
  });

  test('a read-only path is not made writable again, by remount, bind or umount', async () => {
    const tries = [
      'mount -o remount,rw /proc/sys',
      'mount -o remount,rw,bind /proc/sys',
      'umount /proc/sys',
      'mkdir /again && mount -t proc proc /again',
      'mount --bind /proc /tmp',
    ];
    const script = `${tries.map((each, index) => `(${each}) 2>/dev/null && echo ${index} ok`).join('; ')}; (: >> /proc/sys/kernel/core_pattern) 2>/dev/null && echo written; true`;
    expect(await shell(script)).toBe('');
    const privileged = await shell(script, '--privileged');
    expect(privileged).toMatch(/^3 ok$/m);
    expect(privileged).toMatch(/written/);
  });

  test('masked paths show nothing, by whatever way they are reached', async () => {
    const ways = [
      '/proc',
      '/proc/self/root/proc',
      '/proc/1/root/proc',
      '/dev/fd/../../../proc',
      '/proc/thread-self/root/proc',
    ];
    const script = ways
      .flatMap((way) => [
        `head -c 1 ${way}/interrupts 2>/dev/null | wc -c`,
        `ls ${way}/scsi ${way}/acpi 2>/dev/null | grep -vc :`,
      ])
      .join('; ');
    expect(new Set((await shell(script)).trim().split(/\s+/))).toEqual(new Set(['0']));
    expect((await shell(script, '--privileged')).startsWith('1\n')).toBe(true);
    const mount =
      'mkdir /b; mount --bind /proc /b 2>/dev/null; umount /proc/interrupts 2>/dev/null; head -c 1 /proc/interrupts | wc -c';
    expect(await shell(mount)).toBe('0\n');
    expect(await shell(mount, '--cap-add', 'SYS_ADMIN', '--security-opt', 'seccomp=unconfined')).toBe('1\n');
  });

  test('a node of the host’s disk, of its memory or its kernel log can be made, but not opened', async () => {
    const nodes = { disk: `b ${disk![0]} ${disk![1]}`, mem: 'c 1 1', port: 'c 1 4', kmsg: 'c 1 11', fuse: 'c 10 229' };
    const script = Object.entries(nodes)
      .map(([name, node]) => `mknod /${name} ${node} && head -c 1 /${name} >/dev/null; echo ${name} $?`)
      .join('; ');
    const guarded = await shell(script);
    expect(guarded.match(/not permitted/g)).toHaveLength(Object.keys(nodes).length);
    expect(guarded).not.toMatch(/mknod|^\w+ 0$/m);
    expect(await shell(script, '--privileged')).toMatch(/^kmsg 0$/m);
    const allowed = await shell(script, '--device-cgroup-rule', 'c 10:229 r');
    expect(allowed).not.toMatch(/fuse: Operation not permitted/);
    expect(allowed).toMatch(/mem: Operation not permitted/);
    if (isReadable(disk![3]!))
      expect(await shell(script, '--device-cgroup-rule', `b ${disk![0]}:${disk![1]} r`)).toMatch(/^disk 0$/m);
  });

  test('no release_agent is in reach: no hierarchy can be mounted, none that is there can be written', async () => {
    const script = `
      for type in cgroup cgroup2; do mkdir -p /$type; done
      answers.v1 = call(nr(165, 40), 'x', '/tmp', 'cgroup', 0, 'memory');
      answers.rdma = call(nr(165, 40), 'x', '/tmp', 'cgroup', 0, 'none,name=skiff-hardening');
      answers.v2 = call(nr(165, 40), 'x', '/tmp', 'cgroup2', 0, 0);
      answers.writable = [];
      const look = (directory) => {
        for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
          const path = directory + '/' + entry.name;
          if (entry.isDirectory()) look(path);
          else if (entry.isFile() && opened(path, 'r+') === 'ok') answers.writable.push(path);
        }
      };
      look('/sys/fs/cgroup');
      answers.made = tried(() => fs.mkdirSync('/sys/fs/cgroup/made'));
      answers.own = fs.readFileSync('/proc/self/cgroup', 'utf8');
    `.replace(/^\s*for type.*\n/m, '');
    const answers = await attack<Record<string, string> & { writable: string[] }>(daemon, script);
    expect(answers).toMatchObject({ v1: 'EPERM', rdma: 'EPERM', v2: 'EPERM', writable: [] });
    expect(answers.made).not.toBe('ok');
    // Its own group is the root of what it sees; those above and beside it have no name there.
    for (const line of answers
      .own!.trim()
      .split('\n')
      .filter((each) => /memory|^0::/.test(each)))
      if (!/^0::/.test(line) || !answers.own!.includes('memory')) expect(line).toMatch(/:\/$/);
    const privileged = await attack(daemon, script, '--privileged', '--cgroupns', 'private');
    expect([privileged.v1, privileged.v2, privileged.rdma]).toContain('ok');
  });

  test('a parameter is set neither by sysctl nor beside the one that --sysctl set', async () => {
    const script = 'sysctl -w kernel.msgmax=1 >/dev/null 2>&1 && echo set; cat /proc/sys/kernel/msgmax';
    expect(await shell(script, '--sysctl', 'kernel.msgmax=4242')).toBe('4242\n');
    expect(await shell(script, '--privileged')).toBe('set\n1\n');
  });
});
