import type { RuleTable } from './rule-table.ts';

/**
 * Programs of the host's that flush all rules of nftables take ours along, while route_localnet and forwarding stay on. The
 * table is looked for every now and then, and made anew.
 */
export class TableGuard {
  readonly #rules: RuleTable;
  readonly #every: number;
  readonly #warn: (message: string) => void;
  #timer: NodeJS.Timeout | undefined;

  /** @param every milliseconds; 0 for never */
  constructor(rules: RuleTable, every: number, warn: (message: string) => void) {
    this.#rules = rules;
    this.#every = every;
    this.#warn = warn;
  }

  /** Twice is the same as once. */
  begin(): void {
    if (this.#every > 0) this.#timer ??= setInterval(() => void this.#look(), this.#every).unref();
  }

  end(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #look(): Promise<void> {
    try {
      if (!this.#rules.isLost()) return;
      await this.#rules.restore();
      this.#warn('the rules of the networks were gone, perhaps by "nft flush ruleset", and are made anew');
    } catch (error) {
      this.#warn(`the rules of the networks are gone and cannot be made anew: ${(error as Error).message}`);
    }
  }
}
