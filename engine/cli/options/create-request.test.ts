import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { plainEnv, run, runSkiff } from '../testing/ran.ts';
import { type Recorded, startRecorder } from '../testing/recorder.ts';
import { has } from '../testing/tools.ts';

let recorder: Awaited<ReturnType<typeof startRecorder>>;
let folder: string;

beforeAll(async () => {
  recorder = await startRecorder();
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-create-'));
  fs.writeFileSync(path.join(folder, 'env'), '# comment\n\nA=1\nB = 2\n'.replace('B = 2', 'B=x y'));
  fs.writeFileSync(path.join(folder, 'labels'), 'one=1\ntwo\n');
});

afterAll(async () => {
  await recorder.stop();
  fs.rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  recorder.requests.length = 0;
});

async function requestOf(client: 'docker' | 'skiff', args: string[]): Promise<Recorded> {
  const env = plainEnv({ FROM_HERE: 'here' });
  const ran =
    client === 'docker'
      ? await run('docker', ['-H', recorder.host, 'create', ...args], { env, cwd: folder })
      : await runSkiff(['-H', recorder.host, 'create', ...args], { env, cwd: folder });
  expect(`${ran.code} ${ran.stderr}`).toBe('0 ');
  expect(ran.stdout).toBe(`${'f'.repeat(64)}\n`);
  return recorder.requests.find((each) => each.path === '/containers/create') as Recorded;
}

/** Without what stands for "nothing was said": the API means the same by leaving a field out. */
function said(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((each) => said(each) ?? each);
  if (typeof value !== 'object' || value === null) {
    return value === null || value === '' || value === 0 || value === false || value === -1 ? undefined : value;
  }
  const fields = Object.entries(value).map(([name, each]) => [name, isSet(value, name) ? each : said(each)]);
  const kept = fields.filter(([, each]) => each !== undefined);
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}

/** Sets are written as objects without content: `{"80/tcp": {}}`, and maps may map to an empty string. */
function isSet(of: object, name: string): boolean {
  const value = (of as Record<string, unknown>)[name];
  return /\/(tcp|udp)$|^\/|^[a-z]/.test(name) && (value === '' || JSON.stringify(value) === '{}');
}

/** What docker says when nothing was asked. */
const DEFAULTS = { NetworkMode: 'default', RestartPolicy: { Name: 'no' } };

function normal({ body, query }: Recorded): unknown {
  const { HostConfig, ...rest } = said(body) as { HostConfig?: Record<string, unknown> };
  const host = { ...DEFAULTS, ...HostConfig };
  delete (host as Record<string, unknown>).ConsoleSize;
  // Docker gives these in an order that changes from run to run.
  for (const list of [(host as Record<string, unknown>).Binds, (rest as Record<string, unknown>).Env]) {
    if (Array.isArray(list)) list.sort();
  }
  return { query, HostConfig: host, ...rest };
}

describe.skipIf(!has('docker'))('create asks the daemon for what docker asks for', () => {
  test.each([
    'hostbox',
    'hostbox echo a b -c --rm',
    '--name web -h box --domainname example.org hostbox',
    '-it hostbox sh',
    '-i hostbox',
    '-a stdout -a STDERR -i hostbox',
    '-e A=1 -e B= -e FROM_HERE -e NOWHERE --env-file env hostbox',
    '-l a=b -l c --label-file labels hostbox',
    '-u 1000:1000 -w /tmp --entrypoint /bin/sh hostbox -c true',
    '-m 64m --memory-swap -1 --memory-reservation 32m --cpus 1.5 --cpu-shares 512 --pids-limit 100 hostbox',
    '--cpuset-cpus 0-1 --cpu-quota 50000 --cpu-period 100000 --shm-size 128m --oom-score-adj 100 hostbox',
    '--network none hostbox',
    '--net host hostbox',
    '--network back --network-alias a --network-alias b --ip 10.5.0.7 --ip6 fd00::7 hostbox',
    '--network name=back,alias=a,ip=10.5.0.7 --network name=front,gw-priority=5 hostbox',
    '--network back --mac-address 02:42:00:00:00:01 hostbox',
    '--network container:web hostbox',
    '--network back --link db:base hostbox',
    '-p 8000-8010:80 -p [::1]:1:1 hostbox',
    '--read-only --init --privileged --rm hostbox',
    '--init=false --rm=true --read-only=false hostbox',
    '--cap-add NET_ADMIN --cap-drop ALL --cap-drop CHOWN --security-opt no-new-privileges hostbox',
    '-v /a:/b -v /c:/d:ro,z -v /anonymous -v ./here:/there hostbox',
    '--mount type=bind,source=/a,target=/b,readonly --mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1777 hostbox',
    '--mount type=volume,src=data,target=/d,volume-nocopy --mount type=bind,src=/x,dst=/y,bind-propagation=rslave hostbox',
    '--tmpfs /t --tmpfs /u:size=1m,mode=700 hostbox',
    '--ulimit nofile=100:200 --ulimit core=0 hostbox',
    '--stop-signal INT --stop-timeout 3 --restart on-failure:5 hostbox',
    '-p 8080:80 -p 127.0.0.1:53:53/udp -p 443 -p 9000-9001:9000-9001 --expose 7000-7001 --expose 53/udp hostbox',
    '-P --dns 1.1.1.1 --dns-search a.b --dns-option ndots:2 --add-host db:10.0.0.1 hostbox',
    '--device /dev/null --device /dev/zero:/dev/z:r --group-add 5 --sysctl net.core.somaxconn=100 hostbox',
    '--ipc host --pid host --uts host --userns host --cgroupns private --cgroup-parent /x hostbox',
    '--log-driver json-file --log-opt max-size=1m --runtime runc --platform linux/amd64 hostbox',
    '--label=x=y=z -eQ=1 -w=/tmp hostbox',
    '--blkio-weight 100 --blkio-weight-device /dev/null:200 --device-cgroup-rule c_5:*_rw hostbox',
    '--device-read-bps /dev/null:1mb --device-write-bps /dev/zero:2k --device-read-iops /dev/null:10 hostbox',
    '--device-write-iops /dev/null:20 --oom-kill-disable --memory-swappiness 30 hostbox',
    '--health-cmd true --health-interval 1m30s --health-timeout 500ms --health-retries 2 hostbox',
    '--health-cmd true --health-start-period 1h --health-start-interval 1.5s hostbox',
    '--no-healthcheck hostbox',
    '--cidfile DIFFERENT-EACH-TIME hostbox',
  ])('%s', async (line) => {
    const args = (client: string): string[] =>
      line
        .replace('DIFFERENT-EACH-TIME', `${client}.cid`)
        .split(' ')
        .map((word) => word.replaceAll('_rw', ' rw').replace('c_', 'c '));
    const docker = normal(await requestOf('docker', args('docker')));
    recorder.requests.length = 0;
    const skiff = normal(await requestOf('skiff', args('skiff')));
    const same = JSON.stringify(docker).replace('docker.cid', 'skiff.cid');
    expect(skiff).toEqual(JSON.parse(same));
  });
});

describe('create refuses, before it asks the daemon,', () => {
  test.each([
    ['--foo hostbox', 'unknown flag: --foo'],
    ['--nam x hostbox', 'Did you mean --name?'],
    ['--health-cmd true --no-healthcheck hostbox', '--no-healthcheck conflicts with --health-* options'],
    ['--health-interval soon hostbox', 'invalid argument "soon" for "--health-interval" flag'],
    ['-m x hostbox', 'invalid argument "x" for "-m, --memory" flag'],
    ['--cpus x hostbox', 'invalid argument "x" for "--cpus" flag'],
    ['--pids-limit x hostbox', 'invalid argument "x" for "--pids-limit" flag'],
    ['--mount foo=bar hostbox', "unexpected key 'foo'"],
    ['--mount type=bind,source=/a hostbox', 'target is required'],
    ['-p 99999:80 hostbox', 'invalid argument "99999:80" for "-p, --publish" flag'],
    ['-p 1-2:1-3 hostbox', 'the two ranges differ in length'],
    ['--network a --network a hostbox', 'network "a" is specified multiple times'],
    ['--network name=a,colour=red hostbox', 'invalid field "colour=red"'],
    ['--network alias=a hostbox', 'network name/id is not specified'],
    ['--ulimit x hostbox', 'NAME=SOFT[:HARD]'],
    ['--device-read-bps /dev/null hostbox', 'bad format: /dev/null'],
    ['--device-read-iops x:1 hostbox', 'bad format for device path: x:1'],
    ['--blkio-weight-device /dev/null:x hostbox', 'invalid weight for device: /dev/null:x'],
    ['-a foo hostbox', 'valid streams are STDIN, STDOUT and STDERR'],
    ['--rm --restart always hostbox', 'cannot specify both --restart and --rm'],
    ['--env-file nowhere hostbox', 'the environment file "nowhere" cannot be read'],
    ['-e =x hostbox', 'invalid environment variable: =x'],
    ['--pull sometimes hostbox', "invalid pull option: 'sometimes'"],
    ['-e', "flag needs an argument: 'e' in -e"],
  ])('%s', async (line, sentence) => {
    const { code, stderr } = await runSkiff(['-H', recorder.host, 'create', ...line.split(' ')], { cwd: folder });
    expect(stderr).toContain(sentence);
    expect(code).toBe(125);
    expect(recorder.requests).toEqual([]);
  });
});
