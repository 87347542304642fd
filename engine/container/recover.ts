import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { hostCgroups } from '../runtime/cgroups/host.ts';
import { releaseParents } from '../runtime/cgroups/parents.ts';
import type { Running } from '../runtime/shim/protocol.ts';
import { cgroupOf } from './cgroup.ts';
import { Container } from './container.ts';
import type { Engine } from './engine.ts';
import { finishExit, handleExit } from './exit.ts';
import { sweepNetworks } from './network.ts';
import { settlePause } from './pause.ts';
import { ContainerRecord } from './record.ts';
import { removeContainer } from './remove.ts';
import { containerPaths } from './root.ts';
import { forgetSizeLimit } from './size-limit.ts';
import { superviseAgain } from './supervise.ts';
import { now } from './time.ts';

const ID = /^[0-9a-f]{64}$/;
/** How a process looks whose shim died: killed, and nobody saw it. */
const VANISHED = { exitCode: 137, signal: 'SIGKILL' } as const;
/** Milliseconds in which killed processes have to leave their cgroup. */
const PATIENCE = 5000;

/**
 * Take up what an earlier daemon left: read the records, ask the shim what became of them, and sweep what is half made,
 * half removed or orphaned.
 */
export async function recover(engine: Engine): Promise<void> {
  for (const container of readRecords(engine)) {
    nameAgain(engine, container);
    engine.containers.add(container);
  }
  const shimLives = await engine.shim.reconnect();
  if (!shimLives) {
    await sweepCgroup(engine, engine.root.cgroups);
    for (const { record } of engine.containers.all())
      if (record.hostConfig.CgroupParent !== '') await sweepCgroup(engine, cgroupOf(engine.root, record));
  }
  // The exits that a shim wrote down before it ended are read by the next one.
  if (shimLives || engine.containers.all().some((container) => container.running) || hasExits(engine))
    await resume(engine);
  // Builds end with their daemon, and the commands that ran for them have been killed.
  for (const name of fs.readdirSync(engine.root.builds)) engine.trash.discard(path.join(engine.root.builds, name));
  sweepEmptyCaches(engine);
  sweepNetworks(engine.root, (id) => isInUse(engine.containers.get(id)));
  for (const container of engine.containers.all()) {
    const { status, hostConfig } = container.record;
    if (status === 'removing' || (status === 'exited' && hostConfig.AutoRemove))
      await container.lock
        .run(() => removeContainer(engine, container, { volumes: true }))
        .catch((error: Error) => engine.warn(error.message));
  }
  superviseAgain(engine);
}

/** Two records with one name would keep the daemon from starting: the second one gets another. */
function nameAgain(engine: Engine, container: Container): void {
  const { record } = container;
  if (engine.containers.isTaken(record.name)) {
    const { name } = record;
    record.name = `${name}_${container.id.slice(0, 12)}`;
    engine.warn(`two containers are called ${name}: one of them is ${record.name} from now on`);
    container.save().catch((error: Error) => engine.warn(error.message));
  }
  engine.containers.reserve(record.name, container.id);
}

/** The shim has gone, and with it all that ran: clean up behind it and say so in the records. */
export async function loseShim(engine: Engine): Promise<void> {
  for (const { id, state, container } of engine.execs.values())
    if (state === 'running')
      handleExit(engine, {
        key: { container: container.id, exec: id },
        status: VANISHED,
        oomKilled: false,
        finishedAt: now(),
      });
  const lost = engine.containers.all().filter((container) => container.running || container.starting);
  for (const container of engine.containers.all()) container.streamsOpen = false;
  for (const { record } of lost) await sweepCgroup(engine, cgroupOf(engine.root, record));
  if (!lost.some((container) => container.running)) return;
  try {
    // A new shim finds what the old one has written down of ends that nobody was told.
    await resume(engine);
  } catch (error) {
    // They have ended all the same.
    for (const container of lost)
      if (container.running) finishExit(engine, container, { status: VANISHED, oomKilled: false, finishedAt: now() });
    throw error;
  }
}

function isInUse(container: Container | undefined): boolean {
  return container?.running === true || container?.starting === true;
}

function hasExits(engine: Engine): boolean {
  const directory = path.join(engine.root.run, 'exits');
  return fs.existsSync(directory) && fs.readdirSync(directory).length > 0;
}

/** Bring the records to what the shim says. */
async function resume(engine: Engine): Promise<void> {
  const { running, exited } = await engine.shim.request('hello', {});
  const alive = new Map(running.filter(({ key }) => key.exec === undefined).map((each) => [each.key.container, each]));
  const over = new Map(exited.filter(({ key }) => key.exec === undefined).map((each) => [each.key.container, each]));
  for (const container of engine.containers.all()) {
    const found = alive.get(container.id);
    const exit = over.get(container.id);
    if (found) {
      const isNews = markRunning(container, found);
      if (settlePause(engine, container) || isNews) await container.save();
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
  for (const { key } of exited)
    if (!engine.containers.get(key.container)) await engine.shim.request('forget', { key }).catch(() => {});
}

function isNewer(time: string, than: string): boolean {
  return Date.parse(time) > Date.parse(than);
}

/** Whether that is news to the record. */
function markRunning({ record }: Container, found: Running | null): boolean {
  const isNews = record.status !== 'running' && record.status !== 'paused';
  Object.assign(record, {
    ...(isNews && { status: 'running' }),
    pid: found?.pid ?? 0,
    startTime: found?.startTime ?? '',
    exitCode: 0,
    error: '',
    ...(isNews && { startedAt: now() }),
  });
  return isNews;
}

/** Kill what is left in a cgroup and below, and remove it. */
async function sweepCgroup(engine: Engine, path: string): Promise<void> {
  const cgroup = findCgroup(path);
  if (!cgroup) return;
  const deadline = performance.now() + PATIENCE;
  cgroup.killAll();
  while (!cgroup.remove()) {
    if (performance.now() > deadline) {
      engine.warn(`processes ${cgroup.processes().join(', ')} in ${path} were killed and have not ended`);
      return;
    }
    // Neither version of cgroups tells when the last process has been reaped by init.
    await delay(5);
    cgroup.killAll();
  }
}

/** The directories that a shim which was killed could not take along. */
export function removeCgroups(engine: Engine): void {
  findCgroup(engine.root.cgroups)?.remove();
  try {
    releaseParents(`${engine.root.cgroups}/any`);
  } catch {
    // Without control groups there are none.
  }
}

/** What a build that was interrupted had made and not filled. A cache that holds something is kept. */
function sweepEmptyCaches({ root }: Engine): void {
  for (const name of fs.readdirSync(root.cacheMounts))
    try {
      fs.rmdirSync(path.join(root.cacheMounts, name));
    } catch {
      // ENOTEMPTY.
    }
}

function findCgroup(path: string) {
  try {
    return hostCgroups().find(path);
  } catch {
    return null;
  }
}

function readRecords(engine: Engine): Container[] {
  const containers: Container[] = [];
  for (const id of fs.readdirSync(engine.root.containers).filter((name) => ID.test(name))) {
    const paths = containerPaths(engine.root, id);
    if (!fs.existsSync(paths.record)) {
      forgetSizeLimit(paths);
      engine.trash.discard(paths.dir);
      continue;
    }
    try {
      const record = ContainerRecord.parse(JSON.parse(fs.readFileSync(paths.record, 'utf8')));
      if (record.id !== id) throw new Error(`it is the record of ${record.id}`);
      const container = new Container(record, paths);
      // What an earlier daemon was told to end has failed for nobody.
      container.endsForGood = record.stoppedByHand && record.hostConfig.RestartPolicy.Name === 'on-failure';
      containers.push(container);
    } catch (error) {
      // Its files may be somebody's data: what cannot be read is for a person to see to.
      engine.warn(
        `${paths.record} is damaged and passed over: ${(error as Error).message}. Remove its directory to be rid of it.`,
      );
    }
  }
  return containers;
}
