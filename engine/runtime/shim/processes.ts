/** What runs and what ended: every container and every process that joined one, from `open` to `forget`. */

import { kill } from '#kernel/signals';
import type { Cgroup } from '../cgroups/driver.ts';
import { execInContainer } from '../exec-in-container.ts';
import type { Started, Starter } from '../launch.ts';
import { hostIdsOfRoot } from '../spec-ids.ts';
import { startContainer } from '../start.ts';
import { timestamp } from './clock.ts';
import type { ExitRecords } from './exits.ts';
import { RequestError } from './failure.ts';
import { type MemoryWatch, watchMemory } from './memory-watch.ts';
import type { Exited, OutOfMemory, ProcessKey, Running, ShimMethods } from './protocol.ts';
import { Streams } from './streams.ts';
import { urgently } from './turns.ts';

/** How long what should be over in a moment is waited for: the end of a killed process, of its output. */
const PATIENCE_MILLISECONDS = 2_000;

interface Entry {
  key: ProcessKey;
  streams: Streams | null;
  state: 'open' | 'starting' | 'running' | 'ended';
  /** Who root of the container's user namespace is on the host; null without one. */
  owner: { uid: number; gid: number } | null;
  started: Started | null;
  exited: Exited | null;
}

export interface Listeners {
  onExit(exited: Exited): void;
  onOutOfMemory(news: OutOfMemory): void;
}

type Params<M extends keyof ShimMethods> = ShimMethods[M]['params'];
type Result<M extends keyof ShimMethods> = ShimMethods[M]['result'];

export class Processes {
  readonly #entries = new Map<string, Entry>();
  readonly #starter: Starter;
  readonly #records: ExitRecords;
  readonly #listeners: Listeners;
  #whenReaped: (() => void)[] = [];

  constructor(starter: Starter, records: ExitRecords, listeners: Listeners) {
    this.#starter = starter;
    this.#records = records;
    this.#listeners = listeners;
    starter.reaper.onReaped(() => {
      const waiting = this.#whenReaped;
      this.#whenReaped = [];
      for (const tryAgain of waiting) tryAgain();
    });
    for (const exited of records.readAll())
      this.#add({ key: exited.key, streams: null, state: 'ended', owner: null, started: null, exited });
  }

  get busy(): boolean {
    return [...this.#entries.values()].some(({ state }) => state === 'starting' || state === 'running');
  }

  list(): { running: Running[]; exited: Exited[] } {
    const entries = [...this.#entries.values()];
    return {
      running: entries.flatMap(({ key, started, state }) =>
        started && state === 'running' ? [{ key, pid: started.pid, startTime: started.startTime }] : [],
      ),
      exited: entries.flatMap(({ exited }) => (exited ? [exited] : [])),
    };
  }

  open({ key, stdio }: Params<'open'>): Result<'open'> {
    if (this.#entries.has(nameOf(key))) throw new RequestError('conflict', `${describe(key)} is open already.`);
    this.#add({ key, streams: new Streams(stdio), state: 'open', owner: null, started: null, exited: null });
    return {};
  }

  async start({ container, spec }: Params<'start'>): Promise<Result<'start'>> {
    const entry = this.#opened({ container });
    entry.owner = hostIdsOfRoot(spec.linux);
    const started = await this.#launch(entry, (streams) => startContainer(spec, streams, this.#starter));
    const startedAt = timestamp();
    setImmediate(() => this.#watch(entry, started));
    return { pid: started.pid, startTime: started.startTime, startedAt };
  }

  async exec({ container, exec, process }: Params<'exec'>): Promise<Result<'exec'>> {
    const joined = this.#running({ container });
    const entry = this.#opened({ container, exec });
    entry.owner = this.#find({ container }).owner;
    const started = await this.#launch(entry, (streams) => execInContainer(joined, process, streams, this.#starter));
    setImmediate(() => this.#watch(entry, started));
    return { pid: started.pid };
  }

  signal({ key, signal, all = false }: Params<'signal'>): Result<'signal'> {
    const { pid, cgroup } = this.#running(key);
    const pids = all && cgroup ? cgroup.processes() : [pid];
    for (const each of pids) sendSignal(each, signal);
    return {};
  }

  update({ container, resources }: Params<'update'>): Result<'update'> {
    const { cgroup } = this.#running({ container });
    if (cgroup === null) throw new RequestError('conflict', `container ${container} has no control group.`);
    cgroup.update(resources);
    return {};
  }

  resize({ key, height, width }: Params<'resize'>): Result<'resize'> {
    this.find(key).streams?.resize({ height, width });
    return {};
  }

  forget({ key }: Params<'forget'>): Result<'forget'> {
    const entry = this.#entries.get(nameOf(key));
    if (entry?.state === 'starting' || entry?.state === 'running')
      throw new RequestError('conflict', `${describe(key)} is running; end it first.`);
    entry?.streams?.processEnded();
    entry?.streams?.abandon();
    this.#entries.delete(nameOf(key));
    if (key.exec === undefined) this.#records.remove(key.container);
    return {};
  }

  /** @throws RequestError `not-found` */
  find(key: ProcessKey): { streams: Streams | null } {
    return this.#find(key);
  }

  #find(key: ProcessKey): Entry {
    const entry = this.#entries.get(nameOf(key));
    if (entry === undefined) throw new RequestError('not-found', `The shim knows nothing of ${describe(key)}.`);
    return entry;
  }

  #add(entry: Entry): void {
    this.#entries.set(nameOf(entry.key), entry);
  }

  #opened(key: ProcessKey): Entry {
    const entry = this.#find(key);
    if (entry.state !== 'open') throw new RequestError('conflict', `${describe(key)} is ${entry.state} already.`);
    return entry;
  }

  #running(key: ProcessKey): Started {
    const { started, state } = this.#find(key);
    if (started === null || state !== 'running') throw new RequestError('conflict', `${describe(key)} is not running.`);
    return started;
  }

  async #launch(entry: Entry, launch: (streams: Streams['forLaunch']) => Promise<Started>): Promise<Started> {
    const streams = entry.streams!;
    entry.state = 'starting';
    try {
      if (entry.owner) streams.giveTo(entry.owner);
      const started = await urgently(() => launch(streams.forLaunch));
      streams.launched(started.master);
      entry.started = started;
      entry.state = 'running';
      return started;
    } catch (error) {
      entry.state = 'ended';
      streams.processEnded();
      throw error;
    }
  }

  async #watch(entry: Entry, { ended, cgroup }: Started): Promise<void> {
    const isContainer = entry.key.exec === undefined;
    const memory = isContainer && cgroup !== null ? this.#watchMemory(entry.key, cgroup) : null;
    const status = await ended;
    const finishedAt = timestamp();
    const oomKilled = (memory?.end() ?? 0) > 0;
    if (isContainer) await this.#clearAway(entry.key, cgroup);
    await this.#outputOf(entry.streams!);
    this.#report(entry, { key: entry.key, status, oomKilled, finishedAt });
  }

  #watchMemory({ container }: ProcessKey, cgroup: Cgroup): MemoryWatch {
    return watchMemory(cgroup, (kills) => this.#listeners.onOutOfMemory({ container, kills }));
  }

  /** Whatever the first process left behind ends with it. With a PID namespace of its own the kernel has seen to that. */
  async #clearAway({ container }: ProcessKey, cgroup: Cgroup | null): Promise<void> {
    for (const { key, state, started } of this.#entries.values())
      if (key.container === container && key.exec !== undefined && state === 'running') sendSignal(started!.pid, 9);
    if (cgroup === null) return;
    const deadline = Date.now() + PATIENCE_MILLISECONDS;
    while (!cgroup.remove() && Date.now() < deadline) {
      cgroup.killAll();
      await this.#nextReaped(deadline - Date.now());
    }
  }

  /** The shim inherits what a container's processes leave behind, so the end of each is heard here. */
  #nextReaped(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, milliseconds));
      this.#whenReaped.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  async #outputOf(streams: Streams): Promise<void> {
    streams.processEnded();
    const timer = setTimeout(() => streams.abandon(), PATIENCE_MILLISECONDS);
    await streams.ended;
    clearTimeout(timer);
  }

  #report(entry: Entry, exited: Exited): void {
    entry.exited = exited;
    entry.state = 'ended';
    entry.started = null;
    if (entry.key.exec === undefined) this.#keep(exited);
    this.#listeners.onExit(exited);
  }

  /** On a full disk there is no record for a later daemon; the one that listens hears of the exit all the same. */
  #keep(exited: Exited): void {
    try {
      this.#records.write(exited);
    } catch (error) {
      process.emitWarning(`The exit of ${describe(exited.key)} is not on disk: ${(error as Error).message}`);
    }
  }
}

function nameOf({ container, exec }: ProcessKey): string {
  return exec === undefined ? container : `${container}/${exec}`;
}

function describe({ container, exec }: ProcessKey): string {
  return exec === undefined ? `container ${container}` : `process ${exec} of container ${container}`;
}

function sendSignal(pid: number, signal: number): void {
  try {
    kill(pid, signal);
  } catch (error) {
    // It has ended by itself, which is not a failure of the signal's.
    if ((error as { code?: string }).code !== 'ESRCH') throw error;
  }
}
