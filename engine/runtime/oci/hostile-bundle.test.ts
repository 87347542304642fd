import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Bench, type LooseConfig, openBench } from './testing/bench.ts';

describe.skipIf(process.getuid?.() !== 0)('a bundle that is not what it should be', () => {
  let bench: Bench;
  beforeAll(() => {
    bench = openBench();
  });
  afterAll(() => bench?.close());

  /** Create is refused with these words, and nothing of it is left. */
  function refused(words: RegExp, change: (config: LooseConfig) => void): void {
    const ran = bench.run('create', '--bundle', bench.bundle(change), bench.newId());
    expect(ran).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(words) });
    expect(existsSync(bench.state) ? readdirSync(bench.state) : []).toEqual([]);
  }

  test('what the specification has and this runtime has not is refused by name', () => {
    refused(/process\.apparmorProfile/, (config) => Object.assign(config.process, { apparmorProfile: 'x' }));
    refused(/process\.scheduler/, (config) => Object.assign(config.process, { scheduler: { policy: 'SCHED_FIFO' } }));
    refused(/linux\.personality/, (config) => Object.assign(config.linux, { personality: { domain: 'LINUX32' } }));
    refused(/type time/, (config) => config.linux.namespaces!.push({ type: 'time' as 'pid' }));
    refused(/rdma/, (config) => Object.assign(config.linux.resources!, { rdma: { mlx5_1: { hcaHandles: 3 } } }));
    refused(/mount option idmap/, (config) =>
      config.mounts!.push({ destination: '/m', source: '/', options: ['bind', 'idmap'] }),
    );
    refused(/mounts\.uidMappings/, (config) =>
      Object.assign(config.mounts![0]!, { uidMappings: [{ containerID: 0, hostID: 1, size: 1 }] }),
    );
    refused(/SCMP_ACT_NOTIFY/, (config) => {
      config.linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }],
      };
    });
  });

  test('an id that leads elsewhere is not an id', () => {
    const bundle = bench.bundle();
    for (const id of ['..', 'a/b', '../../etc', '', 'a\nb', 'x'.repeat(300)])
      for (const command of ['create', 'delete'])
        expect(bench.run(command, ...(command === 'create' ? ['--bundle', bundle] : []), id).code).toBe(1);
  });

  test('a root that is a link, or holds its own bundle, is refused', () => {
    for (const target of ['/', '/etc', '../..']) {
      const bundle = bench.bundle((config) => {
        config.root.path = 'rootfs';
      });
      symlinkSync(target, join(bundle, 'rootfs'));
      expect(bench.run('create', '--bundle', bundle, bench.newId()).stderr).toMatch(/symbolic link/);
    }
    refused(/holds the bundle itself/, (config) => {
      config.root.path = '/';
    });
    refused(/holds the bundle itself/, (config) => {
      config.root.path = '..';
    });
  });

  test('a config.json that is huge, a FIFO, no JSON or nonsense ends in one sentence', () => {
    const bundle = bench.bundle();
    const path = join(bundle, 'config.json');
    const create = () => bench.run('create', '--bundle', bundle, bench.newId()).stderr;
    truncateSync(path, 1 << 30);
    expect(create()).toMatch(/at most 16777216 are read/);
    rmSync(path);
    execFileSync('mkfifo', [path]);
    expect(create()).toMatch(/not a regular file/);
    rmSync(path);
    writeFileSync(path, '{"ociVersion": ');
    expect(create()).toMatch(/is not JSON/);
    refused(/process\.args: there is no command/, (config) => {
      config.process.args = [];
    });
    refused(/process\.cwd: it is not an absolute path/, (config) => {
      config.process.cwd = 'tmp';
    });
    refused(/process\.env\.0: it holds a NUL byte/, (config) => {
      config.process.env = ['A=\0'];
    });
    refused(/process\.user\.uid/, (config) => {
      config.process.user = { uid: -1 };
    });
    refused(/linux\.cgroupsPath/, (config) => {
      config.linux.cgroupsPath = '/skiff/../../etc';
    });
    refused(/systemd|cgroupsPath/, (config) => {
      config.linux.cgroupsPath = '/';
    });
  });

  test('a cgroup in which somebody else is stays theirs', () => {
    const [id, other] = [bench.newId(), bench.newId()];
    let cgroupsPath: string | undefined;
    const bundle = bench.bundle((config) => {
      config.process.args = ['sleep', '1000'];
      cgroupsPath = config.linux.cgroupsPath;
    });
    expect(bench.run('create', '--bundle', bundle, id).code).toBe(0);
    const second = bench.bundle((config) => {
      config.linux.cgroupsPath = cgroupsPath;
    });
    expect(bench.run('create', '--bundle', second, other).stderr).toMatch(/cgroup is not empty/);
    expect(bench.stateOf(id).status).toBe('created');
    bench.run('delete', '--force', id);
  });

  test('what becomes of config.json after create changes nothing', () => {
    const id = bench.newId();
    const bundle = bench.bundle((config) => {
      config.process.args = ['sh', '-c', 'echo first > /tmp/first-was-here'];
    });
    expect(bench.run('create', '--bundle', bundle, id).code).toBe(0);
    writeFileSync(join(bundle, 'config.json'), '{}');
    expect(bench.run('start', id)).toMatchObject({ code: 0, stderr: '' });
    expect(bench.run('delete', '--force', id).code).toBe(0);
  });

  test('a working directory that is one of the runtime’s own descriptors is not entered', () => {
    for (const fd of [3, 9, 17, 20, 24, 27, 30, 99]) {
      const { stdout, stderr } = bench.run(
        'run',
        '--bundle',
        bench.bundle((config) => {
          config.process.cwd = `/proc/self/fd/${fd}`;
          config.process.args = ['ls', `../../../../..${bench.directory}`];
        }),
        bench.newId(),
      );
      expect(stdout).toBe('');
      expect(stderr).not.toBe('');
    }
  });

  test('hooks are told the state at each stage, in order; one that fails or hangs ends the start', () => {
    const log = join(bench.directory, 'hooks.log');
    const hook = (name: string) => ({
      path: '/bin/sh',
      args: ['sh', '-c', `printf '${name} ' >> ${log}; cat >> ${log}; echo >> ${log}`],
    });
    const id = bench.newId();
    const bundle = bench.bundle((config) => {
      config.process.args = ['sleep', '1000'];
      config.annotations = { big: 'x'.repeat(100_000) };
      config.hooks = {
        prestart: [hook('prestart')],
        createRuntime: [hook('createRuntime')],
        createContainer: [hook('createContainer')],
        startContainer: [{ path: '/bin/sh', args: ['sh', '-c', 'cat > /tmp/startContainer'] }],
        poststart: [hook('poststart')],
        poststop: [hook('poststop')],
      };
      config.mounts!.push({ destination: '/tmp', source: bench.directory, type: 'bind', options: ['rbind'] });
    });
    expect(bench.run('create', '--bundle', bundle, id)).toMatchObject({ code: 0, stderr: '' });
    const { pid } = bench.stateOf(id);
    expect(bench.run('start', id)).toMatchObject({ code: 0, stderr: '' });
    bench.run('delete', '--force', id);
    const told = readFileSync(log, 'utf8')
      .trim()
      .split('\n')
      .map((line) => {
        const at = line.indexOf(' ');
        const { status, pid: itsPid, id: itsId } = JSON.parse(line.slice(at + 1)) as Record<string, unknown>;
        expect(itsId).toBe(id);
        return [line.slice(0, at), status, itsPid];
      });
    expect(told).toEqual([
      ['prestart', 'created', pid],
      ['createRuntime', 'creating', pid],
      ['createContainer', 'creating', pid],
      ['poststart', 'running', pid],
      ['poststop', 'stopped', 0],
    ]);
    expect(JSON.parse(readFileSync(join(bench.directory, 'startContainer'), 'utf8'))).toMatchObject({
      status: 'created',
      pid,
    });

    for (const kind of ['prestart', 'createRuntime', 'createContainer'] as const) {
      refused(new RegExp(`hook #0 \\(${kind}\\).*exit status 3, stderr: no`), (config) => {
        config.hooks = { [kind]: [{ path: '/bin/sh', args: ['sh', '-c', 'echo no >&2; exit 3'] }] };
      });
      refused(new RegExp(`hook #0 \\(${kind}\\).*not over within 1 s`), (config) => {
        config.hooks = { [kind]: [{ path: '/bin/sleep', args: ['sleep', '1000'], timeout: 1 }] };
      });
    }
  });

  test('an error is in the log in the form that was asked for', () => {
    const log = join(bench.directory, 'log.json');
    mkdirSync(bench.state, { recursive: true });
    const { stderr } = bench.run('--log', log, '--log-format', 'json', 'state', 'nobody');
    expect(stderr).toBe('container does not exist: nobody\n');
    expect(JSON.parse(readFileSync(log, 'utf8'))).toMatchObject({
      level: 'error',
      msg: 'container does not exist: nobody',
    });
    expect(bench.run('--systemd-cgroup', 'list').stderr).toMatch(/cgroup-manager cgroupfs/);
  });
});
