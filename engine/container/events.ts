import { nowNanoseconds } from './time.ts';

/** One thing that happened, in the form of Docker's EventMessage. */
export interface EngineEvent {
  Type: 'builder' | 'container' | 'image' | 'volume' | 'network' | 'daemon';
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
  scope: 'local';
  /** Nanoseconds since 1970. A BigInt, since they do not fit a double. */
  timeNano: bigint;
}

export type Listener = (event: EngineEvent) => void;

/** How many past events `since` can look back on, as Docker has it. */
const KEPT = 256;

/** What happens in the engine, told to the listener, in the order it happens. */
export class EventBus {
  readonly #listeners = new Set<Listener>();
  readonly #attendants = new Set<Listener>();
  readonly #past: EngineEvent[] = [];

  emit(type: EngineEvent['Type'], action: string, id: string, attributes: Record<string, string>): void {
    const event: EngineEvent = {
      Type: type,
      Action: action,
      Actor: { ID: id, Attributes: attributes },
      scope: 'local',
      timeNano: nowNanoseconds(),
    };
    this.#past.push(event);
    if (this.#past.length > KEPT) this.#past.shift();
    for (const listener of [...this.#attendants, ...this.#listeners]) listener(event);
  }

  /** Hear of every event from now on, after those of the past at or after `since` (nanoseconds). Returns the way to stop. */
  listen(listener: Listener, since?: bigint): () => void {
    if (since !== undefined) for (const event of this.#past) if (event.timeNano >= since) listener(event);
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** As `listen` from now on, for the engine's own parts: `info` does not count them. */
  attend(listener: Listener): () => void {
    this.#attendants.add(listener);
    return () => this.#attendants.delete(listener);
  }

  get listenerCount(): number {
    return this.#listeners.size;
  }
}
