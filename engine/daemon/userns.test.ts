/** `--userns-remap`, by the stock docker command: root of a container is nobody on the host, and an image is the same for all. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packEntries } from '../image/archive.ts';
import { noRemapping, REMAP_FIRST, REMAP_NAME, startRemappedDaemon, WITH_IDS } from './testing/remapped-daemon.ts';
import { dockerIsMissing, type TestDaemon } from './testing/test-daemon.ts';

const missing = dockerIsMissing() || noRemapping();
/** cap_net_raw=ep as struct vfs_cap_data, revision 2. linux/capability.h. */
const NET_RAW = Buffer.from('0100000200200000000000000000000000000000', 'hex');

describe.skipIf(missing)(`containers with other ids${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let daemon: TestDaemon;
  let directory: string;
  beforeAll(async () => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-userns-'));
    daemon = await startRemappedDaemon();
  });
  afterAll(async () => {
    fs.rmSync(directory, { recursive: true, force: true });
    expect(await daemon?.destroy()).toEqual([]);
  });

  const docker = (...args: string[]) => daemon.docker(...args);
  const run = async (...args: string[]) => {
    const { stdout, stderr, code } = await docker('run', '--rm', ...args);
    return { code, said: stdout + stderr };
  };
  const pidOf = async (name: string) => Number((await docker('inspect', '-f', '{{.State.Pid}}', name)).stdout);

  test('root inside is an ordinary user outside, also of what joins and of a build', async () => {
    await docker('run', '-d', '--name', 'one', 'hostbox', 'sleep', '1000');
    const status = fs.readFileSync(`/proc/${await pidOf('one')}/status`, 'utf8');
    expect(status).toContain(`\nUid:\t${REMAP_FIRST}\t${REMAP_FIRST}\t${REMAP_FIRST}\t${REMAP_FIRST}\n`);
    const map = '         0     700000      65536\n';
    expect((await docker('exec', 'one', 'cat', '/proc/self/uid_map', '/proc/self/gid_map')).stdout).toBe(map + map);
    expect((await docker('exec', '-u', '1000', 'one', 'id', '-u')).stdout).toBe('1000\n');
    expect((await docker('info', '-f', '{{.SecurityOptions}}')).stdout).toContain('name=userns');
    const dockerfile = 'FROM hostbox\nRUN cat /proc/self/uid_map > /map; chown 7:8 /map\n';
    const built = await daemon.dockerWithInput(dockerfile, 'build', '-q', '-t', 'mapped', '-');
    expect(built.code, built.stderr).toBe(0);
    expect((await run('mapped', 'sh', '-c', 'cat /map; ls -n /map')).said).toMatch(
      /^ +0 +700000 +65536\n-rw-r--r-- +1 7 +8 /,
    );
    await docker('rm', '-f', 'one');
  });

  test('an image and what is made of it have the owners they have without', async () => {
    await docker(
      'run',
      '--name',
      'two',
      'hostbox',
      'sh',
      '-c',
      'touch /mine; touch /his; chown 1000:1001 /his; rm /etc/shells',
    );
    expect((await docker('diff', 'two')).stdout).toBe('C /etc\nD /etc/shells\nA /his\nA /mine\n');
    await docker('commit', 'two', 'two:v1');
    const owners = 'stat -c "%u %g" /mine /his /etc /bin/sh /usr; ls /etc/shells 2>&1';
    const inside = await run('two:v1', 'sh', '-c', owners);
    const without = await run('--userns', 'host', 'two:v1', 'sh', '-c', owners);
    expect(inside.said).toMatch(/^0 0\n1000 1001\n0 0\n/);
    expect(without).toEqual(inside);
    expect((await run('--userns', 'host', 'hostbox', 'cat', '/proc/self/uid_map')).said).toMatch(/ 0 +0 +4294967295\n/);
    expect((await docker('inspect', '-f', '{{.HostConfig.UsernsMode}}', 'two')).stdout).toBe('\n');
    await docker('rm', 'two');
  });

  test('a volume is shared by those with and those without; what is the host’s stays out of reach', async () => {
    await run('-v', 'shared:/data', 'hostbox', 'sh', '-c', 'echo mapped > /data/a; chown 1000 /data/a');
    expect(
      (await run('--userns', 'host', '-v', 'shared:/data', 'hostbox', 'sh', '-c', 'stat -c %u /data /data/a')).said,
    ).toBe('0\n1000\n');
    const secret = path.join(directory, 'secret');
    fs.writeFileSync(secret, 'of root\n', { mode: 0o600 });
    const attempt = await run(
      '-v',
      `${directory}:/host`,
      'hostbox',
      'sh',
      '-c',
      'id -u; cat /host/secret; rm /host/secret; touch /host/new',
    );
    expect(attempt.said.match(/Permission denied/g)).toHaveLength(3);
    expect(fs.readdirSync(directory)).toEqual(['secret']);
    const made = path.join(directory, 'made');
    expect((await run('-v', `${made}:/made`, 'hostbox', 'touch', '/made/file')).said).toBe('');
    expect(fs.statSync(`${made}/file`).uid).toBe(REMAP_FIRST);
  });

  test('what is copied in and out keeps its owners and capabilities, whether the container runs or not', async () => {
    const plain = { type: 'file' as const, mode: 0o755, mtime: new Date(0), content: 'x' };
    const entries = [
      { ...plain, path: 'his', uid: 1000, gid: 1001 },
      { ...plain, path: 'raw', xattrs: new Map([['security.capability', NET_RAW]]) },
    ];
    const archive = Buffer.concat([...packEntries(entries)]);
    await docker('run', '-d', '--name', 'three', 'hostbox', 'sleep', '1000');
    const put = spawnSync('docker', ['-H', `unix://${daemon.socket}`, 'cp', '-a', '-', 'three:/tmp'], {
      input: archive,
    });
    expect(`${put.stderr}`).toBe('');
    expect((await docker('exec', 'three', 'stat', '-c', '%u %g', '/tmp/his', '/tmp/raw')).stdout).toBe(
      '1000 1001\n0 0\n',
    );
    const get = () => spawnSync('docker', ['-H', `unix://${daemon.socket}`, 'cp', 'three:/tmp/.', '-']).stdout;
    const running = get();
    expect(running.includes('SCHILY.xattr.security.capability')).toBe(true);
    expect(running.includes(NET_RAW)).toBe(true);
    await docker('stop', '-t', '0', 'three');
    const stopped = get();
    expect(stopped.equals(running)).toBe(true);
    const tooLarge = Buffer.concat([...packEntries([{ ...plain, path: 'far', uid: 70_000 }])]);
    await docker('start', 'three');
    const far = spawnSync('docker', ['-H', `unix://${daemon.socket}`, 'cp', '-a', '-', 'three:/tmp'], {
      input: tooLarge,
    });
    expect(`${far.stderr}`).toContain('the container has no uid 70000');
    await docker('rm', '-f', 'three');
  });

  test('what needs the host’s ids says so', async () => {
    for (const [option, message] of [
      ['--privileged', 'privileged mode is incompatible with user namespaces'],
      ['--network=host', "cannot share the host's network namespace when user namespaces are enabled"],
      ['--pid=host', 'cannot share the host PID namespace when user namespaces are enabled'],
    ] as const) {
      expect((await run(option, 'hostbox', 'true')).said).toContain(message);
      expect((await run(option, '--userns=host', 'hostbox', 'true')).code).toBe(0);
    }
  });

  test('a daemon that takes over without remapping finds the same containers, and their files', async () => {
    await docker('run', '-d', '--name', 'four', 'hostbox', 'sh', '-c', 'touch /mine; echo ready; exec sleep 1000');
    while (!(await docker('logs', 'four')).stdout.includes('ready'));
    await daemon.crash();
    await daemon.launch('--userns-remap', '');
    expect((await docker('info', '-f', '{{.SecurityOptions}}')).stdout).not.toContain('userns');
    expect((await docker('exec', 'four', 'cat', '/proc/self/uid_map')).stdout).toMatch(/ 0 +700000 +65536\n/);
    expect((await docker('cp', 'four:/mine', path.join(directory, 'mine'))).code).toBe(0);
    await docker('rm', '-f', 'four');
  });
});

describe.skipIf(missing)('a daemon that cannot remap', () => {
  const failing = (...options: string[]) => {
    const root = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-userns-'));
    try {
      const daemon = path.resolve('.build/default/daemon.cjs');
      const [program, ...args] = [...WITH_IDS, process.execPath, daemon, '--root', root, ...options];
      const { stderr, status } = spawnSync(program!, args, { encoding: 'utf8' });
      return { status, stderr };
    } finally {
      fs.rmSync(root, { recursive: true, force: true });
    }
  };

  test('says what to do', () => {
    expect(failing('--userns-remap', 'default')).toEqual({
      status: 1,
      stderr: expect.stringMatching(/no ids for dockremap.*echo dockremap:231072:65536 >> \/etc\/subuid/),
    });
    expect(failing('--userns-remap', 'a:b:c').stderr).toContain('must be default, USER or USER:GROUP');
    expect(failing('--userns-remap', REMAP_NAME)).toEqual({
      status: 1,
      stderr: expect.stringMatching(/other users cannot pass through \/.*chmod o\+x \//),
    });
  });
});
