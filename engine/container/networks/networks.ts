import fs from 'node:fs';
import path from 'node:path';
import type { BridgeNetwork, HostNetwork } from '../../network/contract/network.ts';
import { formatAddress, formatCidr, networkOf, parseCidr } from '../../network/ip-address.ts';
import { ContainerError } from '../errors.ts';
import type { StateRoot } from '../root.ts';
import { AddressBook } from './address-book.ts';
import { bridgeOptions } from './bridge-options.ts';
import { Names } from './names.ts';
import { type NetworkRecord, predefinedRecord } from './network-record.ts';
import type { NetworkSettings } from './settings.ts';
import { NetworkTable } from './table.ts';

/** The networks of an engine: what they are, which addresses of theirs are taken, and the host's side of them. */
export class Networks {
  readonly table: NetworkTable;
  readonly addresses: AddressBook;
  readonly names: Names;
  readonly settings: NetworkSettings;
  readonly host: HostNetwork;
  readonly #root: StateRoot;
  /** Whose bridges are there, or are being made. */
  readonly #made = new Set<string>();
  /** What goes on behind a container that has ended. */
  readonly #pending = new Set<Promise<void>>();

  constructor(root: StateRoot, settings: NetworkSettings, host: HostNetwork) {
    this.#root = root;
    this.settings = settings;
    this.host = host;
    this.table = new NetworkTable(root.networks);
    this.names = new Names(this.table);
    this.addresses = new AddressBook(root.dir, settings.pools);
  }

  /**
   * Read what an earlier daemon kept, and add the networks that there always are.
   * @param warn told of each network that cannot be used, which is left out and whose file stays
   */
  load(warn: (message: string) => void): void {
    this.table.load(warn);
    for (const name of ['host', 'none'] as const) this.table.add(predefinedRecord(this.#root, name));
    for (const record of this.table.all()) {
      // A daemon with --bridge none leaves the record of the default bridge where it is.
      if (record.name === 'bridge' && !this.settings.bridge) this.table.hide(record);
      else this.#openOrHide(record, warn);
    }
    if (this.settings.bridge) this.#loadBridge();
  }

  #openOrHide(record: NetworkRecord, warn: (message: string) => void): void {
    try {
      if (record.driver === 'bridge') this.bridgeOf(record);
      this.addresses.open(record);
    } catch (error) {
      this.table.hide(record);
      warn(
        `the network ${record.name} (${record.id.slice(0, 12)}) is damaged and left out: ${(error as Error).message}. Remove its file in ${this.#root.networks} to be rid of it.`,
      );
    }
  }

  /** The default bridge keeps its subnet from one daemon to the next, unless --bip says another. */
  #loadBridge(): void {
    const kept = this.table.named('bridge');
    const bip = this.settings.bip && parseCidr(this.settings.bip);
    const gateway = bip && formatAddress(bip.family, bip.address);
    const subnet = bip && formatCidr(networkOf(bip));
    if (kept && (bip ? kept.ipam[0]?.subnet === subnet && kept.ipam[0]?.gateway === gateway : kept.ipam.length > 0))
      return;
    if (kept) this.addresses.close(kept);
    const record = predefinedRecord(this.#root, 'bridge');
    if (subnet && gateway) record.ipam = [{ subnet, range: '', gateway, auxiliary: {} }];
    this.table.add(record);
    this.addresses.open(record);
  }

  /** Networks of running containers: an earlier daemon has made their bridges. */
  takeOver(records: NetworkRecord[]): void {
    for (const { id } of records) this.#made.add(id);
  }

  /** Since a network was last there the host may have got a route to where its subnet is. @throws ContainerError `conflict` */
  #avoidRoutes(record: NetworkRecord): void {
    const clash = record.ipam
      .map(({ subnet }) => this.addresses.routeInto(subnet))
      .find((route) => route !== undefined);
    if (clash === undefined) return;
    if (record.name !== 'bridge' || this.settings.bip !== undefined)
      throw new ContainerError(
        'conflict',
        `the network ${record.name} overlaps with ${clash}, which this host reaches by another way now. ${
          record.name === 'bridge'
            ? 'Give the daemon another --bip.'
            : 'Remove the network, and make it with another --subnet.'
        }`,
      );
    this.addresses.close(record);
    record.ipam = [];
  }

  /** Give the default bridge a subnet, on the first need of one. */
  async #complete(record: NetworkRecord): Promise<void> {
    if (record.name !== 'bridge' || record.ipam.length > 0) return;
    const subnet = this.addresses.chooseSubnet(4);
    const { family, address } = parseCidr(subnet);
    record.ipam = [{ subnet, range: '', gateway: formatAddress(family, address + 1n), auxiliary: {} }];
    this.addresses.open(record);
    await this.table.save(record);
  }

  /** Let go of a network that could not be made, or is removed. */
  forget(record: NetworkRecord): void {
    this.addresses.close(record);
    this.table.delete(record);
  }

  /** What the kernel has to know of a network. */
  bridgeOf(record: NetworkRecord): BridgeNetwork {
    const options = bridgeOptions(record, this.settings);
    return {
      id: record.id,
      bridge: options.name || this.#linkName(record),
      subnets: record.ipam.map(({ subnet, gateway }) => ({ subnet, gateway })),
      internal: record.internal,
      icc: options.icc,
      masquerade: options.masquerade,
      mtu: options.mtu,
    };
  }

  /** Make the link and the rules of a network, or put right what differs. @throws NetworkError, ContainerError */
  async raise(record: NetworkRecord): Promise<void> {
    // Marked at once: others that raise it meanwhile would take its own route for somebody else's.
    if (!this.#made.has(record.id)) this.#avoidRoutes(record);
    this.#made.add(record.id);
    await this.#complete(record);
    if (!fs.existsSync(this.#marker)) fs.writeFileSync(this.#marker, '');
    await this.host.raise(this.bridgeOf(record));
    if (this.table.get(record.id) === record) return;
    // It was removed meanwhile.
    await this.host.drop(this.bridgeOf(record));
    throw new ContainerError('not-found', `network ${record.name} not found`);
  }

  /** Remove all that there is of networks on the host. Nothing is done if nothing was ever made. */
  async clear(): Promise<void> {
    if (!fs.existsSync(this.#marker)) return;
    for (const record of this.table.all())
      if (record.driver === 'bridge' && record.ipam.length > 0) await this.host.drop(this.bridgeOf(record));
    await this.host.clear();
    this.#made.clear();
    fs.rmSync(this.#marker, { force: true });
  }

  /** A file that is there while the host may have something of ours, also behind a daemon that was killed. */
  get #marker(): string {
    return path.join(this.#root.run, 'bridges');
  }

  /** Work that goes on while nobody waits. */
  defer(work: Promise<void>): void {
    const tracked: Promise<void> = work.finally(() => this.#pending.delete(tracked));
    tracked.catch(() => {});
    this.#pending.add(tracked);
  }

  /** Let nobody get past `settled` until the function that this returns is called. */
  hold(): () => void {
    let release = () => {};
    this.defer(
      new Promise((resolve) => {
        release = resolve;
      }),
    );
    return () => release();
  }

  /** Resolves when all that was deferred is done: ports and addresses of containers that have ended are free. */
  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.allSettled(this.#pending);
  }

  /** A link has at most 15 characters; every state root has names of its own. */
  #linkName({ id, name }: NetworkRecord): string {
    if (name !== 'bridge') return `br-${id.slice(0, 12)}`;
    return this.#root.dir === '/var/lib/skiff' ? 'skiff0' : `skiff-${this.#root.key}`;
  }
}
