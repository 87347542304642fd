import path from 'node:path';
import { BuildCache } from '../image/build/cache.ts';
import type { Images } from '../image/images.ts';
import { Puller } from '../registry/client/puller.ts';
import type { Registries } from '../registry/client/registries.ts';
import type { Exited } from '../runtime/shim/protocol.ts';
import type { Container } from './container.ts';
import { EventBus } from './events.ts';
import type { Exec } from './exec-record.ts';
import type { Networks } from './networks/networks.ts';
import type { StateRoot } from './root.ts';
import type { ShimClient } from './shim-client.ts';
import { ContainerTable } from './table.ts';
import { Trash } from './trash.ts';
import type { UserRemap } from './user-remap.ts';

/** What everything in this room works on: one state root, its images, its shim and its containers. */
export interface Engine {
  root: StateRoot;
  images: Images;
  registries: Registries;
  shim: ShimClient;
  events: EventBus;
  trash: Trash;
  networks: Networks;
  containers: ContainerTable;
  execs: Map<string, Exec>;
  /** Commands of builds that run, by the id of their container: who is told of their end. */
  hidden: Map<string, (exited: Exited) => void>;
  buildCache: BuildCache;
  puller: Puller;
  /** Whose ids containers have that do not share the host's; absent when all of them do. */
  remap?: UserRemap;
  /** The daemon is ending: what its containers want next is for the next one. */
  closing: boolean;
  /** Why containers cannot be run here, in a sentence that says the way out. */
  refusal?: string;
  /** The start that a restart policy has promised. What sees an end lies below what starts, so it is handed down. */
  startAgain(container: Container): Promise<void>;
  /** Told of what went wrong where nobody waits for an answer. */
  warn(message: string): void;
}

export function newEngine(
  parts: Pick<
    Engine,
    'root' | 'images' | 'registries' | 'shim' | 'networks' | 'remap' | 'refusal' | 'startAgain' | 'warn'
  >,
): Engine {
  return {
    ...parts,
    puller: new Puller(parts.images, parts.registries),
    events: new EventBus(),
    trash: new Trash(parts.root.removed, parts.warn),
    containers: new ContainerTable(),
    execs: new Map(),
    closing: false,
    hidden: new Map(),
    buildCache: new BuildCache(path.join(parts.root.images, 'build-cache'), parts.images),
  };
}

/** Tell of something that happened to a container, with the attributes Docker gives it. */
export function emitContainerEvent(
  engine: Engine,
  { record }: Container,
  action: string,
  attributes: Record<string, string> = {},
): void {
  engine.events.emit('container', action, record.id, {
    ...record.config.Labels,
    ...attributes,
    image: record.image.reference,
    name: record.name,
  });
}
