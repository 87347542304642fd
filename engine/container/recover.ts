import fs from 'node:fs';
import fsp from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { hostCgroups } from '../runtime/cgroups/host.ts';
import type { Running } from '../runtime/shim/protocol.ts';
import { Container } from './container.ts';
import type { Engine } from './engine.ts';
import { finishExit, handleExit } from './exit.ts';
import { ContainerRecord } from './record.ts';
import { removeContainer } from './remove.ts';
import { removeTree } from './remove-tree.ts';
import { containerPaths } from './root.ts';
import { processStartTime } from './start-time.ts';
import { now } from './time.ts';

const ID = /^[0-9a-f]{64}$/;
/** How a process looks whose shim died: killed, and nobody saw it. */
const VANISHED = { exitCode: 137, signal: 'SIGKILL' } as const;
/** Milliseconds in which killed processes have to leave their cgroup. */
const PATIENCE = 5000;

/**
 * Take up what an earlier daemon left: read the records, ask the shim, if there still is one, what became of them, and
 * sweep what is half made, half removed or orphaned.
 */
export async function recover(engine: Engine): Promise<void> {
  for (const container of await readRecords(engine)) {
    engine.containers.reserve(container.record.name, container.id);
    engine.containers.add(container);
  }
  if (await engine.shim.reconnect()) await resume(engine);
  else await loseShim(engine);
  for (const container of engine.containers.all()) {
    const { status, hostConfig } = container.record;
    if (status === 'removing' || (status === 'exited' && hostConfig.AutoRemove))
      await container.lock
        .run(() => removeContainer(engine, container, { volumes: true }))
        .catch((error: Error) => engine.warn(error.message));
  }
}

/** The shim has gone, and with it all that ran: say so in the records and clean up behind it. */
export async function loseShim(engine: Engine): Promise<void> {
  await sweepCgroups(engine);
  const finishedAt = now();
  for (const exec of engine.execs.values())
    if (exec.state === 'running')
      handleExit(engine, {
        key: { container: exec.container.id, exec: exec.id },
        status: VANISHED,
        oomKilled: false,
        finishedAt,
      });
  for (const container of engine.containers.all()) {
    container.streamsOpen = false;
    if (container.running) killOrphan(container);
    if (container.running) finishExit(engine, container, { status: VANISHED, oomKilled: false, finishedAt });
  }
  await fsp.rm(path.join(engine.root.run, 'exits'), { recursive: true, force: true });
}

/** Where there is no cgroup to tell what belongs to a container, its first process at least can be told by its start time. */
function killOrphan({ record: { pid, startTime } }: Container): void {
  if (pid <= 1 || startTime === '' || processStartTime(pid) !== startTime) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

async function resume(engine: Engine): Promise<void> {
  const { running, exited } = await engine.shim.request('hello', {});
  const alive = new Map(running.filter(({ key }) => key.exec === undefined).map((each) => [each.key.container, each]));
  const over = new Map(exited.filter(({ key }) => key.exec === undefined).map((each) => [each.key.container, each]));
  for (const container of engine.containers.all()) {
    const found = alive.get(container.id);
    const exit = over.get(container.id);
    if (found) {
      markRunning(container, found);
      await container.save();
    } else if (exit) {
      // A start that was answered after the daemon had died is one the record does not know.
      if (!container.running && isNewer(exit.finishedAt, container.record.finishedAt)) markRunning(container, null);
      handleExit(engine, exit);
    } else if (container.running) {
      finishExit(engine, container, { status: VANISHED, oomKilled: false, finishedAt: now() });
    }
  }
  // What runs without a record was being started by a daemon that died before it could write one, or is being removed.
  for (const [id, { key }] of alive)
    if (!engine.containers.get(id)) await engine.shim.request('signal', { key, signal: 9, all: true }).catch(() => {});
  for (const each of exited)
    if (!engine.containers.get(each.key.container))
      await engine.shim.request('forget', { key: each.key }).catch(() => {});
}

function isNewer(time: string, than: string): boolean {
  return Date.parse(time) > Date.parse(than);
}

function markRunning({ record }: Container, found: Running | null): void {
  const known = record.status === 'running' && record.pid === found?.pid && record.startTime === found.startTime;
  if (known) return;
  Object.assign(record, {
    status: 'running',
    pid: found?.pid ?? 0,
    startTime: found?.startTime ?? '',
    startedAt: now(),
    exitCode: 0,
    error: '',
  });
}

/** Kill what is left in the containers' cgroups, and remove them. */
async function sweepCgroups(engine: Engine): Promise<void> {
  const cgroup = findCgroups(engine);
  if (!cgroup) return;
  const deadline = performance.now() + PATIENCE;
  cgroup.killAll();
  while (!cgroup.remove()) {
    if (performance.now() > deadline) {
      engine.warn(
        `processes ${cgroup.processes().join(', ')} in ${engine.root.cgroups} were killed and have not ended`,
      );
      return;
    }
    // Neither version of cgroups tells when the last process has been reaped by init.
    await delay(5);
    cgroup.killAll();
  }
}

function findCgroups(engine: Engine) {
  try {
    return hostCgroups().find(engine.root.cgroups);
  } catch {
    return null;
  }
}

async function readRecords(engine: Engine): Promise<Container[]> {
  const containers: Container[] = [];
  for (const id of fs.readdirSync(engine.root.containers).filter((name) => ID.test(name))) {
    const paths = containerPaths(engine.root, id);
    if (!fs.existsSync(paths.record)) {
      await removeTree(paths.dir).catch((error: Error) => engine.warn(`${paths.dir}: ${error.message}`));
      continue;
    }
    try {
      const record = ContainerRecord.parse(JSON.parse(fs.readFileSync(paths.record, 'utf8')));
      if (record.id !== id) throw new Error(`it is the record of ${record.id}`);
      containers.push(new Container(record, paths));
    } catch (error) {
      // Its files may be somebody's data: what cannot be read is for a person to see to.
      engine.warn(
        `${paths.record} is damaged and passed over: ${(error as Error).message}. Remove its directory to be rid of it.`,
      );
    }
  }
  return containers;
}
