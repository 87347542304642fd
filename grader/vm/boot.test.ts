import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runInVm, VmFailed, type VmResult, vmUnavailable } from './boot.ts';

const unavailable = vmUnavailable();
if (unavailable !== null) console.log(`The virtual machine's tests are skipped: ${unavailable}`);

let scratch: string;
let tmpdirBefore: string | undefined;
beforeEach(() => {
  tmpdirBefore = process.env.TMPDIR;
  scratch = mkdtempSync(join(tmpdir(), 'vm-test-'));
  process.env.TMPDIR = scratch;
});
afterEach(() => {
  if (tmpdirBefore === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = tmpdirBefore;
  rmSync(scratch, { recursive: true, force: true });
});

/** Command lines of all processes that name `path`: a machine's programs all name its directory. */
function processesNaming(path: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    })
    .filter((line) => line.includes(path));
}

function expectNothingLeft(): void {
  expect(readdirSync(scratch)).toEqual([]);
  expect(processesNaming(scratch)).toEqual([]);
  expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(scratch);
}

describe.skipIf(unavailable !== null)(`a virtual machine (${unavailable ?? 'booted'})`, () => {
  test('has its own kernel, a pure cgroup v2 and the host’s files', async () => {
    const command = [
      'uname -r',
      'stat -fc %T /sys/fs/cgroup',
      'cat /sys/fs/cgroup/cgroup.controllers',
      'cat /proc/self/cgroup',
      'pwd',
      'node -p "process.version"',
    ].join('; ');
    let seen = 0;
    const result: VmResult = await runInVm({
      command,
      timeoutMs: 50_000,
      onReady: () => (seen = processesNaming(scratch).length),
    });
    const [release, type, controllers, cgroup, cwd, node] = result.output.trim().split('\n');
    expect(result.exitCode, result.output).toBe(0);
    expect(release).toMatch(/^\d+\.\d+.*-amd64$/);
    expect(release).toBe(result.guestKernel);
    expect(type).toBe('cgroup2fs');
    expect(controllers?.split(' ')).toEqual(expect.arrayContaining(['cpu', 'memory', 'pids', 'io', 'cpuset']));
    expect(cgroup).toBe('0::/');
    expect(cwd).toBe(process.cwd());
    expect(node).toBe(process.version);
    expect(result.bootMs).toBeGreaterThan(100);
    expect(result.totalMs).toBeGreaterThan(result.bootMs);
    // The same question must find something while the machine runs, or its answer afterwards means nothing.
    expect(seen).toBeGreaterThanOrEqual(2);
    expectNothingLeft();
  });

  test('passes on how the command ended, and keeps nothing it wrote', async () => {
    const marker = join(process.cwd(), `.vm-test-${process.pid}`);
    const result = await runInVm({
      command: `echo secret > ${marker} && cat ${marker} && mount -o remount,rw /host 2>/dev/null; echo héllo >&2; exit 37`,
      timeoutMs: 50_000,
    });
    expect(result.exitCode).toBe(37);
    expect(result.output).toBe('secret\nhéllo\n');
    expect(readdirSync(process.cwd())).not.toContain(`.vm-test-${process.pid}`);
    expectNothingLeft();
  });

  test('is killed when its time is over, and leaves nothing', async () => {
    const abort = new AbortController();
    let pid = 0;
    const running = runInVm({
      command: 'echo begun; sleep 1000',
      timeoutMs: 50_000,
      signal: abort.signal,
      onReady: (qemu) => (pid = qemu),
      onOutput: () => abort.abort(),
    });
    const failure = await running.then(
      () => null,
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(VmFailed);
    expect((failure as VmFailed).output).toBe('begun\n');
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    expectNothingLeft();

    await expect(runInVm({ command: 'true', timeoutMs: 300 })).rejects.toThrow(/killed after \d+ ms/);
    expectNothingLeft();
  });

  test('that cannot boot says what its console said last', async () => {
    const started = performance.now();
    await expect(runInVm({ command: 'true', memoryMiB: 48, timeoutMs: 50_000 })).rejects.toThrow(
      /ended before the command/,
    );
    expect(performance.now() - started).toBeLessThan(50_000);
    expectNothingLeft();
  });
});
