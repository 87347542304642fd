/**
 * Sandboxes that are started before anyone needs them: a subject gets ready in about 100 ms, which nobody shall wait
 * for after every test. They know nothing of the module yet, so they serve whichever comes next.
 */

import fs from 'node:fs';
import path from 'node:path';
import { type SandboxRecord, startContainer } from './sandbox.ts';
import type { Session } from './session.ts';
import { sessionPaths } from './session-paths.ts';

/** One at work, one getting ready: more would only take memory. */
const SPARES = 2;

/** The spare sandboxes of a session, kept up for as long as this process lives. */
export class Spares {
  readonly #session: Session;
  readonly #starting = new Set<Promise<void>>();

  constructor(session: Session) {
    this.#session = session;
    fs.watch(this.#folder, () => this.#refill()).unref();
    this.#refill();
  }

  /** The spares there are, once none is being started. */
  async all(): Promise<SandboxRecord[]> {
    while (this.#starting.size > 0) await Promise.all(this.#starting);
    return fs.readdirSync(this.#folder).map((name) => read(path.join(this.#folder, name)));
  }

  get #folder(): string {
    return sessionPaths(this.#session.address.directory).spare;
  }

  #refill(): void {
    while (fs.readdirSync(this.#folder).length + this.#starting.size < SPARES) {
      const starting = startContainer(this.#session, 'root')
        .then((record) => this.#add(record))
        // A caller that needs a sandbox starts it then, and hears why there can be none.
        .catch(() => {})
        .finally(() => this.#starting.delete(starting));
      this.#starting.add(starting);
    }
  }

  #add(record: SandboxRecord): void {
    const { taken } = sessionPaths(this.#session.address.directory);
    const name = `${record.container}.json`;
    fs.renameSync(path.join(taken, name), path.join(this.#folder, name));
  }
}

function read(file: string): SandboxRecord {
  return JSON.parse(fs.readFileSync(file, 'utf8')) as SandboxRecord;
}

/** Take a spare sandbox; null when there is none. It is the caller's alone: renaming a file succeeds for one. */
export function takeSpare(session: Session): SandboxRecord | null {
  const { spare, taken } = sessionPaths(session.address.directory);
  for (const name of fs.readdirSync(spare)) {
    const mine = path.join(taken, name);
    try {
      fs.renameSync(path.join(spare, name), mine);
    } catch {
      continue;
    }
    const record = read(mine);
    if (fs.existsSync(`/proc/${record.pid}`)) return record;
  }
  return null;
}
