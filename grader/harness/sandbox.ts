/** A sandbox: one container of our own engine, user-namespaced, for one subject. */

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import type net from 'node:net';
import path from 'node:path';
import { endGroups, killGroups } from './end-groups.ts';
import { unsupported } from './outcome-errors.ts';
import { emptyDirectory } from './remove-tree.ts';
import { type SubjectUser, sandboxSpec } from './sandbox-spec.ts';
import { cgroupsPathOf, type Session } from './session.ts';
import { sessionPaths } from './session-paths.ts';
import { canMakeCgroups, sandboxIds } from './user-ids.ts';

/** How a subject came to its end. */
export interface Ending {
  exitCode: number | null;
  signal: string | null;
  oomKilled: boolean;
}

/** A sandbox as one process can tell another of it. */
export interface SandboxRecord {
  container: string;
  slot: number;
  /** Of the subject, on this machine. */
  pid: number;
  /** Whether its control groups are shown to it. */
  hasCgroups: boolean;
}

const MOST_OUTPUT_KEPT = 64 << 10;
export const MOST_OUTPUT = 16 << 20;
const FRAME_HEADER = 8;

/** Take a slot that nobody uses and make it ready. @returns its number. */
function takeSlot(session: Session, user: SubjectUser): number {
  const paths = sessionPaths(session.address.directory);
  for (const name of fs.readdirSync(paths.free)) {
    try {
      fs.renameSync(path.join(paths.free, name), path.join(paths.taken, name));
    } catch {
      continue; // Somebody else was faster.
    }
    const slot = Number(name);
    const view = session.within(paths.view(slot));
    const owner = sandboxIds(session.address.shimPid, slot).first + (user === 'root' ? 0 : NOBODY);
    for (const folder of ['rootfs', 'scratch', 'work'].map((name) => path.join(view, name))) {
      fs.mkdirSync(folder);
      fs.chmodSync(folder, 0o755);
    }
    for (const folder of ['rootfs', 'scratch'].map((name) => path.join(view, name))) fs.chownSync(folder, owner, owner);
    return slot;
  }
  throw new Error('All slots of the grading session are taken; were subjects closed after use?');
}

export const NOBODY = 65534;

/** Start a subject that waits for its judge at `channel` in the slot. */
export async function startContainer(
  session: Session,
  user: SubjectUser,
  {
    noNewPrivileges = true,
    cgroups = false,
    compiler,
    fill,
    onOutput,
  }: {
    noNewPrivileges?: boolean;
    cgroups?: boolean;
    /** The command of a sandbox that compiles. */
    compiler?: string[];
    /** Put files into the slot before anything runs. @param view the slot as the judge sees it. */
    fill?: (view: string) => void;
    /** Takes the output from its first byte: what ends at once has printed before one could ask for it later. */
    onOutput?: (socket: net.Socket) => void;
  } = {},
): Promise<SandboxRecord> {
  if (cgroups && !canMakeCgroups())
    unsupported('Control groups can only be given away by root. Try: sudo ./workshop check cgroups');
  if (user === 'nobody' && sandboxIds(session.address.shimPid, 0).size <= NOBODY)
    unsupported(
      'A sandbox has only one user id here, so nothing can run as another user: ./workshop doctor says how to get more.',
    );
  const slot = takeSlot(session, user);
  const container = randomBytes(6).toString('hex');
  const { directory } = session.address;
  try {
    fill?.(session.within(sessionPaths(directory).view(slot)));
    await session.shim.request('open', {
      key: { container },
      stdio: { terminal: false, stdin: false, stdinOnce: false },
    });
    if (onOutput !== undefined) {
      const socket = await session.shim.output(container);
      // The first line says that one is attached.
      await once(socket, 'readable');
      onOutput(socket);
    }
    const { pid } = await session.shim.request('start', {
      container,
      spec: sandboxSpec({
        paths: sessionPaths(directory),
        slot,
        ids: sandboxIds(session.address.shimPid, slot),
        user,
        noNewPrivileges,
        compiler,
        showCgroups: cgroups,
        cgroupsPath: canMakeCgroups() ? `${cgroupsPathOf(directory)}/${container}` : undefined,
      }),
    });
    const record: SandboxRecord = { container, slot, pid, hasCgroups: cgroups };
    fs.writeFileSync(recordFile(session, record), JSON.stringify(record));
    return record;
  } catch (error) {
    await session.shim.request('forget', { key: { container } }).catch(() => {});
    freeSlot(session, slot);
    throw error;
  }
}

function recordFile(session: Session, { container }: Pick<SandboxRecord, 'container'>): string {
  return path.join(sessionPaths(session.address.directory).taken, `${container}.json`);
}

/** End what a suite that was cut short has left open. */
export async function endForgotten(session: Session): Promise<void> {
  const { taken } = sessionPaths(session.address.directory);
  for (const name of fs.readdirSync(taken).filter((name) => name.endsWith('.json'))) {
    const record = JSON.parse(fs.readFileSync(path.join(taken, name), 'utf8')) as SandboxRecord;
    await new Sandbox(session, record).destroy();
  }
}

/** Empty a slot for the next sandbox. One that cannot be emptied is not used again. */
function freeSlot(session: Session, slot: number): void {
  const paths = sessionPaths(session.address.directory);
  const view = session.within(paths.view(slot));
  try {
    emptyDirectory(view);
    fs.renameSync(path.join(paths.taken, String(slot)), path.join(paths.free, String(slot)));
  } catch {
    // The tmpfs ends with the session.
  }
}

/** Where a subject runs, whatever is around it. */
export interface SubjectPlace {
  /** The subject's pid on this machine. */
  readonly pid: number;
  /** The directory with the channel, `rootfs`, `scratch` and `work`, as the subject sees it. */
  readonly inside: string;
  /** The same as the judge sees it; no symbolic link below it is followed. */
  readonly outside: string;
  readonly ended: Promise<Ending>;
  /** It printed more than MOST_OUTPUT and was ended for it. */
  readonly flooded: boolean;
  /** The last it printed, on both streams. */
  printed(): string;
  /** End everything in it, and take back what was made for it. */
  destroy(): Promise<void>;
}

export class Sandbox implements SubjectPlace {
  readonly #session: Session;
  readonly #record: SandboxRecord;
  readonly ended: Promise<Ending>;
  flooded = false;
  #printed = Buffer.alloc(0);
  #printedBytes = 0;
  readonly #heard: Promise<void>;

  /** @param output from `onOutput`; asked for now if absent. */
  constructor(session: Session, record: SandboxRecord, output?: net.Socket) {
    this.#session = session;
    this.#record = record;
    this.ended = new Promise((resolve) => {
      session.shim.onExit(record.container, (exited) =>
        resolve(
          exited
            ? { ...exited.status, oomKilled: exited.oomKilled }
            : { exitCode: null, signal: null, oomKilled: false },
        ),
      );
    });
    this.#heard = this.#listen(output);
  }

  get pid(): number {
    return this.#record.pid;
  }

  readonly inside = '/slot';

  get outside(): string {
    return this.#session.within(sessionPaths(this.#session.address.directory).view(this.#record.slot));
  }

  printed(): string {
    return this.#printed.toString();
  }

  async destroy(): Promise<void> {
    const key = { container: this.#record.container };
    const group = `${cgroupsPathOf(this.#session.address.directory)}/${key.container}`;
    // What a subject has frozen in a group of its own does not die of a signal, and would keep the whole sandbox waiting.
    if (this.#record.hasCgroups) killGroups(group);
    // A sandbox that is not there to be killed has ended, maybe before anyone listened.
    if (await this.kill()) await this.ended;
    // Without the shim there is nothing left to be forgotten.
    await this.#session.shim.request('forget', { key }).catch(() => {});
    if (canMakeCgroups()) await endGroups(group);
    fs.rmSync(recordFile(this.#session, this.#record), { force: true });
    freeSlot(this.#session, this.#record.slot);
  }

  /** What was printed, once all of it has come: for a sandbox that has ended. */
  async finalWords(): Promise<string> {
    await this.#heard;
    return this.printed();
  }

  /** End its first process, and with it all others. @returns false when it has ended by itself. */
  async kill(): Promise<boolean> {
    const key = { container: this.#record.container };
    return await this.#session.shim.request('signal', { key, signal: 9 }).then(
      () => true,
      () => false,
    );
  }

  async #listen(output?: net.Socket): Promise<void> {
    const socket = output ?? (await this.#session.shim.output(this.#record.container).catch(() => null));
    if (socket === null) return;
    socket.unref();
    let header = true;
    socket.on('data', (chunk: Buffer) => {
      // The first line says that one is attached. Frames are cut out roughly: this is a courtesy, not evidence.
      const start = header ? chunk.indexOf(10) + 1 : 0;
      header = false;
      this.#printedBytes += chunk.length;
      this.#printed = Buffer.concat([this.#printed, withoutFrames(chunk.subarray(start))]).subarray(-MOST_OUTPUT_KEPT);
      if (this.#printedBytes > MOST_OUTPUT && !this.flooded) {
        this.flooded = true;
        socket.destroy();
        void this.kill();
      }
    });
    await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  }
}

function withoutFrames(chunk: Buffer): Buffer {
  const pieces: Buffer[] = [];
  let at = 0;
  while (at + FRAME_HEADER <= chunk.length && chunk[at]! <= 2 && chunk.readUIntBE(at + 1, 3) === 0) {
    const end = at + FRAME_HEADER + chunk.readUInt32BE(at + 4);
    pieces.push(chunk.subarray(at + FRAME_HEADER, end));
    at = Math.min(end, chunk.length);
  }
  pieces.push(chunk.subarray(at));
  return Buffer.concat(pieces);
}
