import { EventEmitter } from 'node:events';
import type { Exited } from '../runtime/shim/protocol.ts';
import { AtomicFile } from './atomic-file.ts';
import { ContainerError } from './errors.ts';
import { Gate } from './gate.ts';
import { Mutex } from './mutex.ts';
import type { ContainerRecord } from './record.ts';
import type { ContainerPaths } from './root.ts';
import { type LifeEvent, nextStatus } from './state.ts';

/** @throws ContainerError `conflict` in Docker's words when it has no process */
export function requireRunning({ id, running, restarting }: Container): void {
  if (restarting)
    throw new ContainerError('conflict', `Container ${id} is restarting, wait until the container is running`);
  if (!running) throw notRunning(id);
}

export function notRunning(id: string): ContainerError {
  return new ContainerError('conflict', `container ${id} is not running`);
}

/** A container of this engine: its record, and what only matters while the daemon lives. */
export class Container {
  readonly record: ContainerRecord;
  readonly paths: ContainerPaths;
  /** Held while the container is started, stopped or removed. */
  readonly lock = new Mutex();
  /** Passed by whatever joins its processes. */
  readonly joins = new Gate();
  /**
   * `exit` after each end of the container's process, also of a start that failed; `removed` when it is gone;
   * `log-end` when nothing will be added to the log until the next start.
   */
  readonly changes = new EventEmitter<{ exit: []; removed: [] }>().setMaxListeners(0);
  readonly execs = new Set<string>();
  /** Whether the shim holds streams for a start to come. */
  streamsOpen = false;
  /** Whether the shim may hold anything at all: streams, a process, or how it ended. */
  shimKnows: boolean;
  /** An exit may be heard of before the answer to the start it belongs to has been dealt with. */
  starting = false;
  /** A client has asked for its end, so no restart policy follows it. */
  endsForGood = false;
  /** A client's stop is under way, and holds the lock for as long as the program may take. */
  stopping = false;
  /** Milliseconds its restart policy waited before the last start; 0 when the last start was asked for. */
  backOff = 0;
  /** While it is `restarting`. */
  nextStart: NodeJS.Timeout | undefined;
  earlyExit: Exited | null = null;
  readonly #file: AtomicFile;

  /** @param isNew whether no shim can have heard of it */
  constructor(record: ContainerRecord, paths: ContainerPaths, isNew = false) {
    this.shimKnows = !isNew;
    this.record = record;
    this.paths = paths;
    this.#file = new AtomicFile(paths.record);
  }

  get id(): string {
    return this.record.id;
  }

  /** Whether it has a process, which may stand still. */
  get running(): boolean {
    return this.record.status === 'running' || this.paused;
  }

  /** Whether it waits for the start that its restart policy has promised. To clients it runs. */
  get restarting(): boolean {
    return this.record.status === 'restarting';
  }

  get paused(): boolean {
    return this.record.status === 'paused';
  }

  /** Go to where `event` leads. @throws ContainerError `conflict` if it cannot happen now */
  apply(event: LifeEvent): void {
    const next = nextStatus(this.record.status, event);
    if (next === null)
      throw new ContainerError(
        'conflict',
        `container ${this.record.name} is ${this.record.status}, and ${event} cannot happen to it now`,
      );
    this.record.status = next;
  }

  /** Keep the record as it is when the write begins. */
  async save(): Promise<void> {
    await this.#file.save(() => JSON.stringify(this.record));
  }

  /** Keep that it runs before it does, so that a crash in between leaves one that was lost and not one that never was. */
  async saveAsRunning(startedAt: string): Promise<void> {
    const record: ContainerRecord = { ...this.record, status: 'running', startedAt };
    await this.#file.save(() => JSON.stringify(record));
  }

  /** Resolves when what was to be kept is on the disk. */
  async flush(): Promise<void> {
    await this.#file.flush();
  }

  /** Write the record no more. */
  async closeFile(): Promise<void> {
    await this.#file.close();
  }
}
