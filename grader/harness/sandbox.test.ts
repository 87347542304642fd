/** The sandbox, looked at from outside: what a submission can reach, what it can use up, and what is left of it. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import path from 'node:path';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { capabilityNames } from '../../engine/kernel/capability-names.ts';
import { thisMachine } from '../../engine/runtime/seccomp/architectures.ts';
import { currentSession } from './current-session.ts';
import { descendants, eventually, idMap, mountinfo, namespaceInode, status } from './evidence.ts';
import { builtFile, home } from './home.ts';
import { leaks } from './leaks.ts';
import { LiveSubject } from './live-subject.ts';
import { writeModule } from './make-module.ts';
import { SANDBOX_CAPABILITIES } from './sandbox-limits.ts';
import { cgroupsPathOf } from './session.ts';
import { sandboxIds } from './user-ids.ts';

const needsRoot = process.geteuid?.() !== 0;
const plank = 'exports.evaluate = (text) => eval(text);';
const module = writeModule({ plank, driver: '', shared: '' });
let subject: LiveSubject;

/** Run a function in the sandbox, as a submission would. It sees nothing of this file. */
const there = (work: () => unknown) => subject.call('evaluate', `(${work})()`);

beforeAll(async () => {
  if (needsRoot) return;
  // A thousand processes take their time on a machine that is busy elsewhere.
  subject = await LiveSubject.open(module, { uid: 'root', patience: 120_000 });
});
afterAll(async () => {
  await subject?.[Symbol.asyncDispose]();
  fs.rmSync(module, { recursive: true });
});

describe.skipIf(needsRoot)('a sandbox', () => {
  test('has namespaces of its own, every kind', () => {
    for (const kind of ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'])
      expect(namespaceInode(subject.pid, kind), kind).not.toBe(namespaceInode(process.pid, kind));
  });

  test('is root of nobody: its ids are far above those of this machine', () => {
    for (const kind of ['uid', 'gid'] as const) {
      const map = idMap(subject.pid, kind);
      expect(map).toHaveLength(1);
      expect(map[0]!.hostID).toBeGreaterThan(900_000_000);
    }
    expect(status(subject.pid).NoNewPrivs).toBe('1');
  });

  test('sees programs and libraries, and nothing that tells of this machine or its people', async () => {
    const seen = (await subject.call(
      'evaluate',
      `const fs = require('node:fs');
       [${JSON.stringify(home)}, '/root', '/home', '/etc/shadow', '/etc/ssh', '/var', '/run', '/boot', '/mnt', '/work']
         .filter((file) => fs.existsSync(file))`,
    )) as string[];
    expect(seen).toEqual([]);
    expect(await there(() => require('node:fs').readdirSync('/etc').sort().join())).toMatch(
      /^group,hosts,(ld\.so\.cache,)?passwd$/,
    );
    expect(await there(() => Object.keys(process.env).sort().join())).toBe('HOME,PATH,TMPDIR');
  });

  test('can write to its own few directories and nowhere else', async () => {
    const refused = (await there(() => {
      const fs = require('node:fs');
      const answer = (file: string) => {
        try {
          fs.writeFileSync(`${file}/x`, '');
          return 'written';
        } catch (error) {
          return (error as { code: string }).code;
        }
      };
      return ['/', '/usr', '/usr/bin', '/etc', '/skiff', '/node_modules', '/sys', '/slot', '/slot/work']
        .map(answer)
        .join();
    })) as string;
    expect(refused).toMatch(/^((EROFS|EACCES|EPERM),?){9}$/);
    for (const { mountPoint, options, type } of mountinfo(subject.pid))
      if (!/^\/(slot|tmp|dev|proc|sys)(\/|$)/.test(mountPoint))
        expect(options, `${type} on ${mountPoint}`).toContain('ro');
  });

  test('has no network but its own loopback', async () => {
    const interfaces = fs.readFileSync(`/proc/${subject.pid}/net/dev`, 'utf8').match(/^\s*\S+(?=:)/gm) ?? [];
    const others = interfaces
      .map((name) => name.trim())
      .filter((name) => !/^(lo|tunl0|sit0|ip6tnl0|gre0|gretap0|erspan0|ip_vti0|ip6_vti0|ip6gre0)$/.test(name));
    expect(others).toEqual([]);
    expect(fs.readFileSync(`/proc/${subject.pid}/net/route`, 'utf8').trim().split('\n')).toHaveLength(1);
  });

  test('may make namespaces and mounts of its own', async () => {
    const nested = await there(() => {
      const fs = require('node:fs');
      const koffi = require('node:module').createRequire('/slot/plank.cjs')('koffi');
      const libc = koffi.load(null);
      const unshare = libc.func('int unshare(int)');
      const mount = libc.func('int mount(str, str, str, ulong, void *)');
      const CLONE_NEWNS = 0x20000;
      const CLONE_NEWNET = 0x40000000;
      const before = fs.readlinkSync('/proc/thread-self/ns/net');
      const done = [unshare(CLONE_NEWNS | CLONE_NEWNET)];
      for (const [type, target] of [
        ['proc', '/proc'],
        ['sysfs', '/sys'],
        ['tmpfs', '/tmp'],
      ])
        done.push(mount('none', target, type, 0, null));
      return [...done, before === fs.readlinkSync('/proc/thread-self/ns/net')];
    });
    expect(nested).toEqual([0, 0, 0, 0, false]);
    await subject.renew();
  });

  test('shows nothing of where this clone lies: no mount, no path, no error, no environment', async () => {
    const seen = (await there(() => {
      const fs = require('node:fs');
      const { execFileSync } = require('node:child_process');
      const texts = ['mountinfo', 'maps', 'environ', 'cmdline', 'cgroup', 'mounts'].map((name) =>
        fs.readFileSync(`/proc/self/${name}`, 'utf8'),
      );
      const links = ['exe', 'cwd', 'root'].map((name) => fs.readlinkSync(`/proc/self/${name}`));
      const errors = ['#kernel/none', './none', 'koffi/none', '../../engine/none.ts'].map((name) => {
        try {
          return require(name);
        } catch (error) {
          return `${(error as Error).stack} ${(error as { requireStack?: string[] }).requireStack}`;
        }
      });
      const subject = fs.readFileSync('/skiff/subject.cjs', 'utf8');
      const listed = execFileSync('find', ['/node_modules', '/skiff', '/slot', '-type', 'l', '-printf', '%l\n']);
      return [...texts, ...links, ...errors, subject, String(listed), new Error('here').stack];
    })) as string[];
    expect(seen.join('\n')).toContain('/slot');
    for (const text of seen) expect(text).not.toContain(home);
  });

  test('has a shell and the usual programs, and none that does what a lab asks for', async () => {
    const there = (await subject.call(
      'evaluate',
      `const fs = require('node:fs');
       const { execFileSync } = require('node:child_process');
       [fs.readdirSync('/usr/bin'), fs.readdirSync('/usr/sbin'), execFileSync('sh', ['-c', 'echo $(id -un) | sed s/^/is:/'], {encoding: 'utf8'})]`,
    )) as [string[], string[], string];
    expect(there[0]).toEqual(expect.arrayContaining(['sh', 'cat', 'sleep', 'ls']));
    expect(there[1]).toEqual([]);
    expect(there[2]).toBe('is:root\n');
    const labs =
      /^(unshare|nsenter|chroot|setpriv|capsh|mount|umount|pivot_root|switch_root|tar|cpio|strace|gdb|busybox)$/;
    const engines = /^(runc|crun|docker|podman|buildah|skopeo|umoci|bwrap|ctr|nerdctl|lxc|systemd-.*)/;
    const compilers = /^(cc|gcc|clang|as|ld|rustc|go|python.*|perl.*|ruby.*|node|npm)$/;
    for (const pattern of [labs, engines, compilers]) expect(there[0].filter((name) => pattern.test(name))).toEqual([]);
  });

  test('has limits of memory, processes and files', async () => {
    // Forks of a small shell that waits: those of Node, and programs, take ten times as long.
    const { status: refused, started } = (await there(() => {
      const fs = require('node:fs');
      const { spawnSync } = require('node:child_process');
      const script = 'mkfifo /tmp/f; exec 3<>/tmp/f; n=0; while [ $n -lt 1400 ]; do read x <&3 & n=$((n + 1)); done';
      // Its children keep whatever stream it has.
      const { status } = spawnSync('sh', ['-c', script], { stdio: 'ignore' });
      const pids = fs.readdirSync('/proc').filter((name: string) => /^\d+$/.test(name) && name !== '1');
      for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
      return { status, started: pids.length };
    })) as { status: number; started: number };
    expect(refused).not.toBe(0);
    expect(started).toBeGreaterThan(100);
    expect(started).toBeLessThan(1024);
    await subject.renew();
    const filled = await there(() => {
      const fs = require('node:fs');
      let megabytes = 0;
      try {
        for (; megabytes < 1000; megabytes++) fs.appendFileSync('/slot/scratch/big', Buffer.alloc(1 << 20));
      } catch {}
      fs.rmSync('/slot/scratch/big');
      return megabytes;
    });
    expect(filled).toBeLessThan(65);
  });

  test('has the capabilities that the labs need, and no others', () => {
    const names: readonly string[] = capabilityNames;
    const wanted = SANDBOX_CAPABILITIES.reduce((mask, name) => mask | (1n << BigInt(names.indexOf(name))), 0n);
    for (const set of ['CapEff', 'CapPrm', 'CapBnd']) expect(BigInt(`0x${status(subject.pid)[set]}`), set).toBe(wanted);
    const held: readonly string[] = SANDBOX_CAPABILITIES;
    for (const none of ['CAP_SYS_MODULE', 'CAP_SYS_BOOT', 'CAP_SYS_TIME', 'CAP_BPF', 'CAP_SYS_RAWIO', 'CAP_MAC_ADMIN'])
      expect(held.includes(none), none).toBe(false);
  });

  test('is refused the system calls that no lab needs, as root and as an ordinary user', async () => {
    const table = thisMachine().native.syscalls();
    const calls = ['bpf', 'perf_event_open', 'io_uring_setup', 'keyctl', 'userfaultfd', 'ptrace', 'kcmp', 'io_setup'];
    const numbers = calls.map((name) => table.get(name)!);
    // Arguments that the kernel would refuse, each in another way.
    const tryAll = (here: string) => `
      const here = ${JSON.stringify(here)};
      const koffi = require('node:module').createRequire(here)('koffi');
      const call = koffi.load(null).func('long syscall(long, long, long, long, long)');
      const refusals = () => ${JSON.stringify(numbers)}.map((nr) => {
        koffi.errno(0);
        call(nr, 9999, 0, 0, 0);
        return koffi.errno();
      });`;
    const EPERM = constants.errno.EPERM;
    const refused = numbers.map(() => EPERM);
    expect(await subject.call('evaluate', `${tryAll('/slot/plank.cjs')} refusals()`)).toEqual(refused);
    await using nobody = await LiveSubject.open(module, { uid: 'nobody', patience: 10_000 });
    expect(await nobody.call('evaluate', `${tryAll('/slot/plank.cjs')} refusals()`)).toEqual(refused);
    const require = createRequire(import.meta.url);
    const outside = runInNewContext(`${tryAll(import.meta.filename)} refusals()`, { require }) as number[];
    expect(outside.filter((errno) => errno === EPERM).length, `without the filter: ${outside}`).toBeLessThan(4);
    for (const pid of [subject.pid, nobody.pid]) expect(status(pid).Seccomp).toBe('2');
  });

  test('as nobody has no powers at all', async () => {
    await using nobody = await LiveSubject.open(module, { uid: 'nobody', patience: 10_000 });
    for (const set of ['CapEff', 'CapPrm', 'CapInh', 'CapBnd', 'CapAmb'])
      expect(BigInt(`0x${status(nobody.pid)[set]}`), set).toBe(0n);
    expect(await nobody.call('evaluate', 'process.getuid()')).toBe(65534);
  });

  test('hides what it makes behind no link: the judge’s own paths lead nowhere else', async () => {
    await there(() => {
      const fs = require('node:fs');
      fs.symlinkSync('/etc/shadow', '/slot/scratch/link');
      fs.symlinkSync('/etc', '/slot/scratch/folder');
    });
    const outside = subject.outsidePath('/slot/scratch');
    for (const name of ['link', 'folder/shadow'])
      expect(() => fs.readFileSync(path.join(outside, name)), name).toThrow(/ELOOP/);
    expect(fs.readFileSync(subject.outsidePath('/etc/passwd'), 'utf8')).toMatch(/^root:x:0:0:root:\/tmp/);
  });
});

describe.skipIf(needsRoot)('what is left', () => {
  test('a process or a cgroup that a submission leaves behind is removed', async () => {
    const session = await currentSession();
    const own = { container: 'none', slot: 0, pid: subject.pid };
    const record = fs
      .readdirSync(path.join(session.address.directory, 'taken'))
      .filter((name) => name.endsWith('.json'))
      .map((name) => JSON.parse(fs.readFileSync(path.join(session.address.directory, 'taken', name), 'utf8')));
    expect(await leaks(session, record)).toEqual([]);

    const { first } = sandboxIds(session.address.shimPid, 7);
    const left = spawn('sleep', ['100'], { uid: first, gid: first });
    const ended = once(left, 'exit');
    const cgroup = fs
      .readdirSync('/sys/fs/cgroup')
      .map((name) => path.join('/sys/fs/cgroup', name, cgroupsPathOf(session.address.directory), 'left-behind'))
      .find((candidate) => fs.existsSync(path.dirname(candidate)))!;
    fs.mkdirSync(cgroup);
    try {
      expect(await leaks(session, [...record, own])).toEqual([]);
      expect(fs.existsSync(cgroup)).toBe(false);
      expect((await ended)[1]).toBe('SIGKILL');
    } finally {
      fs.rmSync(cgroup, { recursive: true, force: true });
      left.kill('SIGKILL');
    }
  });

  test('when the judge is killed, its shim and every sandbox end with it', async () => {
    const judge = spawn(process.execPath, [builtFile('grade'), 'judge'], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    await once(judge, 'message');
    const all = await eventually(
      () => {
        const below = descendants(judge.pid!).filter((pid) => fs.existsSync(`/proc/${pid}/exe`));
        return below.filter(isSubject).length >= 2 ? below : null;
      },
      'the judge should have spare sandboxes',
      20_000,
    );
    judge.kill('SIGKILL');
    await once(judge, 'exit');
    for (const pid of all)
      await eventually(() => (fs.existsSync(`/proc/${pid}`) ? null : true), `process ${pid} outlived its judge`, 5_000);
    const mounts = spawnSync('cat', ['/proc/self/mountinfo'], { encoding: 'utf8' }).stdout;
    expect(mounts).not.toContain(`skiff-grade-${judge.pid}-`);
  });
});

/** By what it was started with: newer versions of Node give their main thread a name of their own. */
function isSubject(pid: number): boolean {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('subject.cjs');
  } catch {
    return false;
  }
}
