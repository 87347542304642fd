import fs from 'node:fs';
import path from 'node:path';
import { writeAtomically } from '../atomic-file.ts';
import { ContainerError } from '../errors.ts';
import { NetworkRecord } from './network-record.ts';

/** The networks of an engine, by id and by name, and their files: `networks/ID.json` below the state root. */
export class NetworkTable {
  readonly #directory: string;
  readonly #byId = new Map<string, NetworkRecord>();
  readonly #byName = new Map<string, NetworkRecord>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Read the files of an earlier daemon. @param warn told of each that cannot be read, which stays where it is. */
  load(warn: (message: string) => void): void {
    fs.mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    for (const name of fs.readdirSync(this.#directory).filter((each) => each.endsWith('.json'))) {
      const file = path.join(this.#directory, name);
      try {
        const record = NetworkRecord.parse(JSON.parse(fs.readFileSync(file, 'utf8')));
        if (`${record.id}.json` !== name) throw new Error(`it is the record of ${record.id}`);
        if (this.#byName.has(record.name)) throw new Error(`there is another network ${record.name}`);
        this.add(record);
      } catch (error) {
        warn(`${file} is damaged and passed over: ${(error as Error).message}. Remove it to be rid of it.`);
      }
    }
  }

  /** Oldest first; the predefined ones, which have no time, come before all others. */
  all(): NetworkRecord[] {
    return [...this.#byId.values()].sort((a, b) => (a.created === b.created ? 0 : a.created < b.created ? -1 : 1));
  }

  get(id: string): NetworkRecord | undefined {
    return this.#byId.get(id);
  }

  /** Whether `reference`, as `find` takes it, means a network. */
  has(reference: string): boolean {
    return this.#byName.has(reference) || this.all().some(({ id }) => reference !== '' && id.startsWith(reference));
  }

  named(name: string): NetworkRecord | undefined {
    return this.#byName.get(name);
  }

  add(record: NetworkRecord): void {
    this.#byId.set(record.id, record);
    this.#byName.set(record.name, record);
  }

  /** Keep a network that has been added. @throws the file system's error */
  async save(record: NetworkRecord): Promise<void> {
    await writeAtomically(this.#fileOf(record), JSON.stringify(record));
  }

  delete(record: NetworkRecord): void {
    fs.rmSync(this.#fileOf(record), { force: true });
    this.hide(record);
  }

  /** Leave it out while this daemon runs; its file stays. */
  hide(record: NetworkRecord): void {
    this.#byId.delete(record.id);
    this.#byName.delete(record.name);
  }

  /**
   * The network that `reference` means: a whole id, a name, or the beginning of an id.
   * @throws ContainerError `not-found`; `invalid` when several ids begin so
   */
  find(reference: string): NetworkRecord {
    const exact = this.#byId.get(reference) ?? this.#byName.get(reference);
    if (exact) return exact;
    const matches = /^[0-9a-f]{1,63}$/.test(reference) ? this.all().filter(({ id }) => id.startsWith(reference)) : [];
    if (matches.length > 1)
      throw new ContainerError(
        'invalid',
        `network ${reference} is ambiguous (${matches.length} matches found on ID prefix)`,
      );
    if (matches[0]) return matches[0];
    throw new ContainerError('not-found', `network ${reference.slice(0, 200)} not found`);
  }

  #fileOf({ id }: NetworkRecord): string {
    return path.join(this.#directory, `${id}.json`);
  }
}
