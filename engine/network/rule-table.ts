/** One table of nftables and what is in it. Changes that come while nft runs are made together in its next run. */

import type { BridgeNetwork, PublishedPort } from './contract/network.ts';
import { isLed, portName } from './held-ports.ts';
import { changeElements, hasTable } from './netlink/set-elements.ts';
import { noTable, portElement, tableRules } from './rules.ts';

export class RuleTable {
  readonly #table: string;
  readonly #run: (commands: string) => Promise<void>;
  readonly #networks = new Map<string, BridgeNetwork>();
  readonly #ports = new Map<string, PublishedPort>();
  /** What the kernel has, as far as this process knows; null before the table was made. */
  #known: Map<string, PublishedPort> | null = null;
  /** Counts what makes the whole table out of date. */
  #generation = 0;
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | null = null;

  /** @param run carries commands of nft out */
  constructor(table: string, run: (commands: string) => Promise<void>) {
    this.#table = table;
    this.#run = run;
  }

  async setNetwork(network: BridgeNetwork): Promise<void> {
    const before = this.#networks.get(network.id);
    this.#networks.set(network.id, network);
    try {
      await this.#rebuild();
    } catch (error) {
      if (before) this.#networks.set(network.id, before);
      else this.#networks.delete(network.id);
      throw error;
    }
  }

  async removeNetwork(id: string): Promise<void> {
    if (this.#networks.delete(id)) await this.#rebuild();
  }

  /** Whether the kernel has the rules of that network, as far as this process and the table's existence tell. */
  has(network: BridgeNetwork): boolean {
    const known = this.#networks.get(network.id);
    if (this.#known === null || known === undefined) return false;
    return JSON.stringify(known) === JSON.stringify(network) && hasTable(this.#table);
  }

  networks(): BridgeNetwork[] {
    return [...this.#networks.values()];
  }

  /** Everything anew, with these networks and ports. */
  async setAll(networks: readonly BridgeNetwork[], ports: readonly PublishedPort[]): Promise<void> {
    this.#networks.clear();
    this.#ports.clear();
    for (const network of networks) this.#networks.set(network.id, network);
    for (const port of ports) this.#ports.set(portName(port), port);
    await this.#rebuild();
  }

  async addPorts(ports: readonly PublishedPort[]): Promise<void> {
    for (const port of ports) this.#ports.set(portName(port), port);
    await this.#changed();
  }

  async removePorts(ports: readonly PublishedPort[]): Promise<void> {
    for (const port of ports) this.#ports.delete(portName(port));
    await this.#changed();
  }

  async remove(): Promise<void> {
    this.#networks.clear();
    this.#ports.clear();
    this.#known = null;
    this.#generation++;
    await Promise.allSettled([this.#running, this.#next]);
    if (hasTable(this.#table)) await this.#run(noTable(this.#table));
  }

  async #rebuild(): Promise<void> {
    this.#known = null;
    this.#generation++;
    await this.#changed();
  }

  /** Resolves once the kernel has everything that was asked for before the call. */
  #changed(): Promise<void> {
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#next = null;
        this.#running = this.#apply();
        return this.#running;
      });
    return this.#next;
  }

  async #apply(): Promise<void> {
    const wanted = new Map([...this.#ports].filter(([, port]) => isLed(port)));
    const generation = this.#generation;
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
        changeElements(this.#table, changes);
        if (this.#generation === generation) this.#known = wanted;
        return;
      } catch {
        // Somebody flushed the rules, or changed them: made anew as a whole they are right again, or the error is told.
      }
    }
    await this.#run(tableRules(this.#table, this.networks(), [...wanted.values()]));
    if (this.#generation === generation) this.#known = wanted;
  }
}
