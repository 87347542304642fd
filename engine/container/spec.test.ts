import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mergeEnvironment, mergeImageConfig } from './command.ts';
import { ContainerConfig, HostConfig } from './config.ts';
import type { ContainerRecord } from './record.ts';
import { containerPaths, openRoot, type StateRoot } from './root.ts';
import { buildSpec } from './spec.ts';
import { NEVER } from './time.ts';

let base: string;
let root: StateRoot;
beforeAll(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-spec-'));
  root = openRoot(path.join(base, 'root'));
});
afterAll(() => fs.rmSync(base, { recursive: true }));

const ID = '0123456789abcdef'.repeat(4);

function specFor(config: object = {}, hostConfig: object = {}) {
  const record: ContainerRecord = {
    version: 1,
    id: ID,
    name: 'name',
    created: NEVER,
    image: { id: 'sha256:0', reference: 'image' },
    config: { ...ContainerConfig.parse({ Hostname: 'box', ...config }) },
    hostConfig: HostConfig.parse({ NetworkMode: 'none', ...hostConfig }),
    args: ['true'],
    endpoints: [],
    published: [],
    mounts: [],
    status: 'created',
    pid: 0,
    startTime: '',
    startedAt: NEVER,
    finishedAt: NEVER,
    exitCode: 0,
    oomKilled: false,
    restartCount: 0,
    stoppedByHand: false,
    error: '',
  };
  return buildSpec(record, { root, paths: containerPaths(root, ID), lower: ['/top', '/bottom'] });
}

const namespaces = (spec: ReturnType<typeof specFor>) => spec.linux.namespaces.map(({ type }) => type).sort();
const mountAt = (spec: ReturnType<typeof specFor>, destination: string) =>
  spec.mounts.find((mount) => mount.destination === destination);

test('the root is an overlay of the image below the container, mounted where the host has nothing', () => {
  const spec = specFor();
  expect(spec.root).toEqual({
    path: path.join(root.dir, 'merged'),
    readonly: false,
    overlay: {
      lower: ['/top', '/bottom'],
      upper: path.join(root.containers, ID, 'upper'),
      work: path.join(root.containers, ID, 'work'),
    },
  });
});

test('a container has namespaces of its own, less those that the host is asked for', () => {
  expect(namespaces(specFor())).toEqual(['cgroup', 'ipc', 'mount', 'network', 'pid', 'uts']);
  const shared = { NetworkMode: 'host', PidMode: 'host', IpcMode: 'host', UTSMode: 'host', CgroupnsMode: 'host' };
  const spec = specFor({}, shared);
  expect(namespaces(spec)).toEqual(['mount']);
  expect(spec.hostname).toBeUndefined();
});

test("Docker's mounts are there in an order in which each finds its place", () => {
  const destinations = specFor().mounts.map(({ destination }) => destination);
  const order = [
    '/proc',
    '/dev',
    '/dev/pts',
    '/sys',
    '/dev/mqueue',
    '/dev/shm',
    '/etc/resolv.conf',
    '/etc/hostname',
    '/etc/hosts',
  ];
  expect(destinations.filter((destination) => order.includes(destination))).toEqual(order);
  expect(mountAt(specFor(), '/sys')?.options).toContain('ro');
  expect(mountAt(specFor(), '/dev/pts')?.options).toContain('newinstance');
  expect(mountAt(specFor({}, { ShmSize: 1024 }), '/dev/shm')?.options).toContain('size=1024');
});

test('the environment begins with PATH and HOSTNAME, has TERM on a terminal only, and yields to the request', () => {
  expect(specFor({ Env: ['A=b', 'HOSTNAME=mine'] }).process.env).toEqual([
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'HOSTNAME=mine',
    'A=b',
  ]);
  expect(specFor({ Tty: true }).process.env).toContain('TERM=xterm');
  expect(specFor({ Tty: true, Env: ['TERM=vt100'] }).process.env).toContain('TERM=vt100');
});

test('paths that are about the host are masked, unless the user wants them seen', () => {
  expect(specFor().linux.maskedPaths).toContain('/proc/kcore');
  expect(specFor().linux.readonlyPaths).toContain('/proc/sys');
  expect(specFor({}, { MaskedPaths: [], ReadonlyPaths: [] }).linux).toMatchObject({
    maskedPaths: [],
    readonlyPaths: [],
  });
});

test('system calls are filtered by Docker’s profile, by another, or not at all', () => {
  expect(specFor().linux.seccomp).toBe('default');
  expect(specFor({}, { Privileged: true }).linux.seccomp).toBeUndefined();
  expect(specFor({}, { SecurityOpt: ['seccomp=unconfined'] }).linux.seccomp).toBeUndefined();
  const profile = '{"defaultAction":"SCMP_ACT_LOG","syscalls":[]}';
  expect(specFor({}, { SecurityOpt: [`seccomp=${profile}`] }).linux.seccomp).toMatchObject({
    defaultAction: 'SCMP_ACT_LOG',
  });
});

test('limits are those of the request, and swap is as much again as memory', () => {
  const spec = specFor({}, { Memory: 64 << 20, NanoCpus: 1.5e9, PidsLimit: 7, CpuShares: 512, CpusetCpus: '0' });
  expect(spec.linux.resources).toEqual({
    memory: { limit: 64 << 20, swap: 128 << 20 },
    cpu: { shares: 512, quota: 150_000, period: 100_000, cpus: '0' },
    pids: { limit: 7 },
  });
  expect(specFor({}, { PidsLimit: -1 }).linux.resources).toEqual({});
});

test('the result is what the runtime specification demands, but for what this engine adds to it', () => {
  const schemas = path.join(import.meta.dirname, 'testdata/runtime-spec');
  const ajv = new Ajv({ strict: false, allErrors: true });
  // They are written for draft 4 and use nothing that draft 7 has changed.
  for (const file of fs.readdirSync(schemas).filter((name) => name.endsWith('.json')))
    ajv.addSchema({ ...JSON.parse(fs.readFileSync(path.join(schemas, file), 'utf8')), $schema: undefined }, file);
  const validate = ajv.getSchema('config-schema.json');
  for (const hostConfig of [
    {},
    { Memory: 64 << 20, Ulimits: [{ Name: 'nofile', Soft: 10, Hard: 20 }] },
    { Privileged: true },
    { SecurityOpt: ['seccomp={"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]}'] },
  ]) {
    const { linux, ...rest } = specFor({ Tty: true, User: '1:2' }, hostConfig);
    const spec = { ...rest, linux: { ...linux, ...(linux.seccomp === 'default' && { seccomp: undefined }) } };
    const valid = validate?.(JSON.parse(JSON.stringify(spec)));
    expect(validate?.errors).toBeNull();
    expect(valid).toBe(true);
  }
});

test('what the request leaves open the image fills in', () => {
  const image = {
    Entrypoint: ['/entry'],
    Cmd: ['image'],
    Env: ['A=image', 'B=image'],
    User: 'u',
    WorkingDir: '/w',
    Labels: { a: '1' },
  };
  const merged = (config: object) => {
    const { Entrypoint, Cmd } = mergeImageConfig(ContainerConfig.parse(config), image);
    return { Entrypoint, Cmd };
  };
  expect(merged({})).toEqual({ Entrypoint: ['/entry'], Cmd: ['image'] });
  expect(merged({ Cmd: ['mine'] })).toEqual({ Entrypoint: ['/entry'], Cmd: ['mine'] });
  expect(merged({ Entrypoint: ['/mine'] })).toEqual({ Entrypoint: ['/mine'], Cmd: null });
  expect(merged({ Entrypoint: '/mine', Cmd: ['x'] })).toEqual({ Entrypoint: ['/mine'], Cmd: ['x'] });
  expect(merged({ Entrypoint: [''], Cmd: ['x'] })).toEqual({ Entrypoint: null, Cmd: ['x'] });
  const all = mergeImageConfig(ContainerConfig.parse({ Env: ['A=mine', 'B'], Labels: { b: '2' } }), image);
  // What stands without a value is kept, as docker inspect shows it, and takes the variable away from the program.
  expect(all).toMatchObject({ Env: ['A=mine', 'B'], User: 'u', WorkingDir: '/w', Labels: { a: '1', b: '2' } });
  expect(mergeEnvironment(all.Env)).toEqual(['A=mine']);
});
