/** The plank of lab `pull`: an image comes from a registry that is not trusted. OCI distribution-spec, "Pull". */

import type { Transport } from './transport.ts';

/** OCI image-spec, descriptor.md. */
export interface PulledDescriptor {
  mediaType: string;
  /** `sha256:` and 64 hexadecimal digits. */
  digest: string;
  /** Bytes. */
  size: number;
}

export interface PullPlatform {
  /** `linux`. */
  os: string;
  /** `amd64`, `arm64`, … */
  architecture: string;
  /** `v7`; undefined for any. */
  variant?: string;
  /** The user asked for it: a single image that is for another architecture is refused. */
  isAsked?: boolean;
}

export interface WantedLayer extends PulledDescriptor {
  /** The digest of its uncompressed tar, as the configuration of the image says. */
  diffId: string;
}

/** Where what was pulled goes. */
export interface PullStore {
  /**
   * Store a document: a manifest or a configuration.
   * @throws Error unless it has the digest and the size that are expected.
   */
  putDocument(bytes: Uint8Array, expected: { digest: string; size: number }): Promise<void>;

  /** The bytes of a document that is there, verified; undefined when it is not there. */
  findDocument(digest: string): Promise<Uint8Array | undefined>;

  /**
   * Make a layer be there, and unpacked.
   * @param download gives its bytes. Called at most once: not when the layer is there, nor when another pull fetches it.
   * @param signal ends it, with its reason.
   * @returns whether it was there already.
   * @throws the error of `download`, or an error that says how the bytes differ from what is wanted. Nothing of the layer
   *   is left then.
   */
  putLayer(
    wanted: WantedLayer,
    download: (signal: AbortSignal) => AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<'present' | 'downloaded'>;
}

/** What is told while a pull goes on. */
export type PullEvent =
  /** The manifest is known, with its layers from the lowest up. */
  | { type: 'layers'; layers: WantedLayer[] }
  /** Of one layer; `current` of `total` bytes. */
  | { type: 'downloading'; digest: string; current: number; total: number }
  /** The connection broke; the layer goes on after `seconds`. */
  | { type: 'retrying'; digest: string; seconds: number }
  /** All of its bytes have come. */
  | { type: 'downloaded'; digest: string }
  /** It is there, and unpacked. */
  | { type: 'done'; digest: string; how: 'present' | 'downloaded' };

export interface PullOptions {
  transport: Transport;
  store: PullStore;
  /** A tag, or a digest. */
  reference: string;
  platform: PullPlatform;
  /** How many layers are fetched at the same time. */
  concurrency: number;
  /** Milliseconds before a download that broke goes on; twice as long each further time that nothing comes. */
  firstWait: number;
  /** Ends the pull, with its reason. */
  signal: AbortSignal;
  onEvent(event: PullEvent): void;
}

export interface PulledImage {
  /** What the reference names: a manifest, or the index that it was chosen from. */
  named: PulledDescriptor;
  manifest: PulledDescriptor;
  /** The digest of its configuration. */
  config: string;
  layers: WantedLayer[];
}

/** The registry sent something that is not accepted. */
export class PullRefused extends Error {
  readonly code = 'PULL_REFUSED';
  override readonly name = 'PullRefused';
  /** `protocol`: it lies, or makes no sense. `unsupported`: it is sound, but not for this engine. */
  readonly kind: 'protocol' | 'unsupported' | 'not-found';
  /** After "cannot": `use the manifest latest`. */
  readonly step: string;

  constructor(kind: PullRefused['kind'], step: string, why: string) {
    super(why);
    this.kind = kind;
    this.step = step;
  }
}

export interface PullPlank {
  /**
   * Fetch the manifest, choose the platform, fetch the configuration and the layers. The manifest is stored last, after
   * everything that it names.
   * @throws PullRefused, the errors of `transport` and of `store`, or the reason of `signal`
   */
  pull(options: PullOptions): Promise<PulledImage>;
}
