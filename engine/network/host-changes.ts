/** What was changed of the host that is not ours: remembered in a file, so that a later daemon keeps to it and changes it back. */

import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';

const strings = z.array(z.string());

const borrowed = z.object({
  /** That were added, in CIDR notation. */
  addresses: strings,
  /** Whether route_localnet was off. */
  localnet: z.boolean(),
  /** What it was before, in bytes; 0 if it stayed as it was. */
  mtu: z.int(),
});

const changes = z.object({
  /** Of the kernel's run, and of the network namespace: in another one nothing of this is true. */
  place: z.string(),
  /** The host's links of the moment in which forwarding was turned on, by family. Absent: it was on before. */
  outer: z.object({ 4: strings.optional(), 6: strings.optional() }),
  /** Links whose accept_ra was made 2. */
  acceptRa: strings,
  /** Bridges that somebody else made, by their names. */
  borrowed: z.record(z.string(), borrowed),
});

export type BorrowedBridge = z.infer<typeof borrowed>;
type Changes = z.infer<typeof changes>;

export class HostChanges {
  readonly #file: string | undefined;
  #kept: Changes;

  /** @param directory where the file is; nothing outlives this process if absent */
  constructor(directory: string | undefined) {
    this.#file = directory && path.join(directory, 'host-changes.json');
    this.#kept = this.#read();
  }

  get outer(): Readonly<Changes['outer']> {
    return this.#kept.outer;
  }

  get acceptRa(): readonly string[] {
    return this.#kept.acceptRa;
  }

  borrowedBridges(): [name: string, bridge: BorrowedBridge][] {
    return Object.entries(this.#kept.borrowed);
  }

  /** On disk when it returns. */
  setForwarded(outer: Changes['outer'], acceptRa: readonly string[]): void {
    this.#write({ ...this.#kept, outer, acceptRa: [...acceptRa] });
  }

  /** What is added to a bridge is added to what is known of it. On disk when it returns. */
  borrow(name: string, { addresses, localnet, mtu }: BorrowedBridge): void {
    if (addresses.length === 0 && !localnet && mtu === 0) return;
    const before = this.#kept.borrowed[name] ?? { addresses: [], localnet: false, mtu: 0 };
    const all = {
      addresses: [...new Set([...before.addresses, ...addresses])],
      localnet: before.localnet || localnet,
      mtu: before.mtu || mtu,
    };
    this.#write({ ...this.#kept, borrowed: { ...this.#kept.borrowed, [name]: all } });
  }

  /** @returns what is to be changed back on that bridge */
  giveBack(name: string): BorrowedBridge | undefined {
    const { [name]: bridge, ...others } = this.#kept.borrowed;
    if (bridge) this.#write({ ...this.#kept, borrowed: others });
    return bridge;
  }

  #read(): Changes {
    const place = placeNow();
    const nothing = { place, outer: {}, acceptRa: [], borrowed: {} };
    if (this.#file === undefined) return nothing;
    try {
      const kept = changes.parse(JSON.parse(fs.readFileSync(this.#file, 'utf8')));
      return kept.place === place ? kept : nothing;
    } catch {
      // It was never written, or only in part.
      return nothing;
    }
  }

  #write(next: Changes): void {
    if (this.#file !== undefined) {
      const whole = `${this.#file}.new`;
      fs.writeFileSync(whole, JSON.stringify(next), { mode: 0o600 });
      fs.renameSync(whole, this.#file);
    }
    this.#kept = next;
  }
}

function placeNow(): string {
  const boot = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return `${boot} ${fs.readlinkSync('/proc/thread-self/ns/net')}`;
}
