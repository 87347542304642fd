/** One table of nftables and what is in it. Changes that come while nft runs are made together in its next run. */

import type { BridgeNetwork, PublishedPort } from './contract/network.ts';
import type { Outer } from './forwarding.ts';
import { isLed, portName } from './held-ports.ts';
import { changeElements, hasTable } from './netlink/set-elements.ts';
import { noTable, portElement, tableRules } from './rules.ts';

/** What one caller wants. */
interface Change {
  /** Whether the table is to be made as a whole. */
  isWhole: boolean;
  make(): void;
  /** Back to how it was before `make`. What was taken away stays away, and goes with the next run that succeeds. */
  undo(): void;
}

interface Waiting extends Change {
  resolve: () => void;
  reject: (error: unknown) => void;
}

export interface RuleTableOptions {
  table: string;
  /** Carries commands of nft out. */
  run: (commands: string) => Promise<void>;
  /** Links that are kept apart, as of now. */
  outer: () => Outer;
}

export class RuleTable {
  readonly #options: RuleTableOptions;
  readonly #networks = new Map<string, BridgeNetwork>();
  readonly #ports = new Map<string, PublishedPort>();
  /** What the kernel has, as far as this process knows; null before the table was made. */
  #known: Map<string, PublishedPort> | null = null;
  #queue: Waiting[] = [];
  #working: Promise<void> | null = null;

  constructor(options: RuleTableOptions) {
    this.#options = options;
  }

  setNetwork(network: BridgeNetwork): Promise<void> {
    let before: BridgeNetwork | undefined;
    return this.#ask({
      isWhole: true,
      make: () => {
        before = this.#networks.get(network.id);
        this.#networks.set(network.id, network);
      },
      undo: () => {
        if (before) this.#networks.set(network.id, before);
        else this.#networks.delete(network.id);
      },
    });
  }

  async removeNetwork(id: string): Promise<void> {
    if (!this.#networks.has(id) && this.#working === null) return;
    await this.#ask({ isWhole: true, make: () => void this.#networks.delete(id), undo: () => {} });
  }

  /** Whether the kernel has the rules of that network, as far as this process and the table's existence tell. */
  has(network: BridgeNetwork): boolean {
    const known = this.#networks.get(network.id);
    if (this.#known === null || known === undefined || this.#queue.some(({ isWhole }) => isWhole)) return false;
    return JSON.stringify(known) === JSON.stringify(network) && hasTable(this.#options.table);
  }

  /** Whether somebody removed the table. It is not told of a table that is being made. */
  isLost(): boolean {
    return this.#working === null && this.#known !== null && !hasTable(this.#options.table);
  }

  /** Make the table anew as it is meant to be. */
  restore(): Promise<void> {
    return this.#ask({ isWhole: true, make: () => {}, undo: () => {} });
  }

  /** Everything anew, with these networks and ports. */
  setAll(networks: readonly BridgeNetwork[], ports: readonly PublishedPort[]): Promise<void> {
    const make = () => {
      this.#networks.clear();
      this.#ports.clear();
      for (const network of networks) this.#networks.set(network.id, network);
      for (const port of ports) this.#ports.set(portName(port), port);
    };
    return this.#ask({ isWhole: true, make, undo: () => {} });
  }

  addPorts(ports: readonly PublishedPort[]): Promise<void> {
    return this.#ask({
      isWhole: false,
      make: () => {
        for (const port of ports) this.#ports.set(portName(port), port);
      },
      undo: () => {
        for (const port of ports) this.#ports.delete(portName(port));
      },
    });
  }

  removePorts(ports: readonly PublishedPort[]): Promise<void> {
    const make = () => {
      for (const port of ports) this.#ports.delete(portName(port));
    };
    return this.#ask({ isWhole: false, make, undo: () => {} });
  }

  async remove(): Promise<void> {
    while (this.#working) await this.#working;
    this.#networks.clear();
    this.#ports.clear();
    this.#known = null;
    const { table, run } = this.#options;
    if (hasTable(table)) await run(noTable(table));
  }

  /** Resolves once the kernel has it. */
  #ask(change: Change): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ ...change, resolve, reject });
      this.#working ??= Promise.resolve().then(() => this.#work());
    });
  }

  async #work(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0);
      const error = await this.#attempt(batch);
      if (error === null) for (const { resolve } of batch) resolve();
      else if (batch.length === 1) batch[0]!.reject(error.cause);
      else await this.#oneByOne(batch);
    }
    this.#working = null;
  }

  /** One change that cannot be made is not to be the failure of those that happened to come with it. */
  async #oneByOne(batch: readonly Waiting[]): Promise<void> {
    for (const waiting of batch) {
      const error = await this.#attempt([waiting]);
      if (error === null) waiting.resolve();
      else waiting.reject(error.cause);
    }
  }

  /** @returns null, or the error, and then nothing of the batch is kept. */
  async #attempt(batch: readonly Change[]): Promise<{ cause: unknown } | null> {
    for (const { isWhole, make } of batch) {
      if (isWhole) this.#known = null;
      make();
    }
    try {
      await this.#apply();
      return null;
    } catch (error) {
      for (const { undo } of batch.toReversed()) undo();
      return { cause: error };
    }
  }

  async #apply(): Promise<void> {
    const { table, run, outer } = this.#options;
    const wanted = new Map([...this.#ports].filter(([, port]) => isLed(port)));
    const known = this.#known;
    if (known !== null) {
      const differs = (one: Map<string, PublishedPort>, other: Map<string, PublishedPort>) =>
        [...one].filter(([name, port]) => other.get(name) !== port).map(([, port]) => port);
      const [added, removed] = [differs(wanted, known), differs(known, wanted)];
      if (added.length + removed.length === 0) return;
      try {
        const changes = [
          ...removed.map((port) => portElement(port, false)),
          ...added.map((port) => portElement(port, true)),
        ];
        changeElements(table, changes);
        this.#known = wanted;
        return;
      } catch {
        // Somebody flushed the rules, or changed them: made anew as a whole they are right again, or the error is told.
      }
    }
    await run(tableRules(table, [...this.#networks.values()], [...wanted.values()], outer()));
    this.#known = wanted;
  }
}
