/** Images that something is being made of, and images that are being removed: one or the other. */

import type { Digest } from './digest.ts';
import { ImageNotFound } from './image-errors.ts';

export class Pins {
  readonly #pins = new Map<Digest, Set<symbol>>();
  readonly #removing = new Set<Digest>();

  /**
   * Keep an image from being removed until the function that is returned is called.
   * @throws ImageNotFound when it is being removed.
   */
  pin(id: Digest): () => void {
    if (this.#removing.has(id)) throw new ImageNotFound(id, []);
    const pin = Symbol();
    const pins = this.#pins.get(id) ?? new Set();
    this.#pins.set(id, pins.add(pin));
    return () => {
      pins.delete(pin);
      if (pins.size === 0) this.#pins.delete(id);
    };
  }

  isPinned(id: Digest): boolean {
    return this.#pins.has(id);
  }

  /** Nobody can pin the image while `work` removes it. */
  async duringRemoval(id: Digest, work: () => Promise<void>): Promise<void> {
    this.#removing.add(id);
    try {
      await work();
    } finally {
      this.#removing.delete(id);
    }
  }
}
