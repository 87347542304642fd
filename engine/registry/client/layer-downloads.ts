/** Layers on their way in, by what they are: what two pulls want at the same time comes once. */

import type { PullEvent, WantedLayer } from '../contract/pull.ts';
import { unless } from './unless.ts';

export type LayerEvent = Extract<PullEvent, { type: 'downloading' | 'retrying' | 'downloaded' }>;

interface Running {
  digest: string;
  finished: Promise<void>;
  /** Of the pulls that wait. */
  listeners: Set<(event: LayerEvent) => void>;
  abort: AbortController;
}

export class LayerDownloads {
  readonly #running = new Map<string, Running>();

  /**
   * Wait until the layer is there. It is fetched for as long as one pull waits for it.
   * @param fetch called unless another pull fetches the layer.
   * @throws the reason of `signal`, or what `fetch` throws. What another pull's `fetch` throws is not this one's failure: it
   *   is tried again with the own one.
   */
  async get(
    { digest, diffId }: WantedLayer,
    signal: AbortSignal,
    listener: (event: LayerEvent) => void,
    fetch: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const key = `${digest} ${diffId}`;
    for (;;) {
      const known = this.#running.get(key);
      const running = known ?? this.#begin(key, digest, fetch);
      running.listeners.add(listener);
      try {
        return await unless(signal, running.finished);
      } catch (error) {
        if (known === undefined || signal.aborted) throw error;
      } finally {
        running.listeners.delete(listener);
        if (running.listeners.size === 0) {
          if (this.#running.get(key) === running) this.#running.delete(key);
          running.abort.abort(signal.reason);
          // It leaves nothing that would come to light after this pull has cleaned up.
          await running.finished.catch(() => {});
        }
      }
    }
  }

  /** To all pulls that wait for the layer. */
  tell(event: LayerEvent): void {
    for (const { digest, listeners } of this.#running.values())
      if (digest === event.digest) for (const listener of listeners) listener(event);
  }

  #begin(key: string, digest: string, fetch: (signal: AbortSignal) => Promise<void>): Running {
    const abort = new AbortController();
    const finished = fetch(abort.signal).finally(() => {
      if (this.#running.get(key) === running) this.#running.delete(key);
    });
    const running = { digest, finished, listeners: new Set<(event: LayerEvent) => void>(), abort };
    finished.catch(() => {});
    this.#running.set(key, running);
    return running;
  }
}
