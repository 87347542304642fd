import type { Container } from './container.ts';
import { ContainerError } from './errors.ts';

/** The containers of an engine by id and by name. */
export class ContainerTable {
  readonly #byId = new Map<string, Container>();
  /** A name is taken from the moment a container is to have it. */
  readonly #idsByName = new Map<string, string>();

  all(): Container[] {
    return [...this.#byId.values()];
  }

  get(id: string): Container | undefined {
    return this.#byId.get(id);
  }

  isTaken(name: string): boolean {
    return this.#idsByName.has(name);
  }

  /** @throws ContainerError `conflict` in Docker's words when the name is in use */
  reserve(name: string, id: string): void {
    const holder = this.#idsByName.get(name);
    if (holder !== undefined)
      throw new ContainerError(
        'conflict',
        `Conflict. The container name "/${name}" is already in use by container "${holder}". ` +
          'You have to remove (or rename) that container to be able to reuse that name.',
      );
    this.#idsByName.set(name, id);
  }

  release(name: string): void {
    this.#idsByName.delete(name);
  }

  /** Its name has been reserved. */
  add(container: Container): void {
    this.#byId.set(container.id, container);
  }

  delete(container: Container): void {
    this.#byId.delete(container.id);
    // Once it is gone, somebody else may have its name.
    if (this.#idsByName.get(container.record.name) === container.id) this.release(container.record.name);
  }

  /**
   * The container that `reference` means: a whole id, a name, or the beginning of an id.
   * @throws ContainerError `not-found` or, when several ids begin so, `invalid`
   */
  find(reference: string): Container {
    const name = reference.startsWith('/') ? reference.slice(1) : reference;
    const exact = this.#byId.get(reference) ?? this.#byId.get(this.#idsByName.get(name) ?? '');
    if (exact) return exact;
    if (/^[0-9a-f]{1,63}$/.test(reference)) {
      const matches = this.all().filter(({ id }) => id.startsWith(reference));
      if (matches.length > 1)
        throw new ContainerError('invalid', `Multiple IDs found with provided prefix: ${reference}`);
      if (matches[0]) return matches[0];
    }
    throw new ContainerError('not-found', `No such container: ${reference.slice(0, 200)}`);
  }
}
