/** The plank of lab `pull`: an image comes from a registry that is not trusted. OCI distribution-spec, "Pull". */

import type { Transport } from './transport.ts';

/** What a name of an image says. */
export interface ImageName {
  /** The registry: `docker.io`, `localhost:5000`. */
  domain: string;
  /** The repository there: `library/hostbox`. At most 255 characters. */
  path: string;
  /** Absent unless the name has one. */
  tag?: string;
  /** Absent unless the name has one. */
  digest?: string;
}

/** One of the ways in which a registry lets itself be asked: a part of the header WWW-Authenticate. */
export interface Challenge {
  /** In lower case: `basic`, `bearer`. */
  scheme: string;
  /** By names in lower case: `realm`, `service`, `scope`, … The first of a name counts. Values as they are, without quotes. */
  parameters: Map<string, string>;
}

/** What a token server is asked. */
export interface TokenQuestion {
  /** Of the registry that sent the challenge: `https://registry.example/v2/`. */
  registry: string;
  /** What the token is to be good for: `repository:library/hostbox:pull`. */
  scopes: string[];
  /** Absent for a user without a login. */
  login?: { username: string; password: string };
}

/** A GET request, before it is sent. */
export interface RequestHead {
  /** Absolute. */
  url: string;
  /** Names in lower case. */
  headers: Record<string, string>;
}

/** OCI image-spec, descriptor.md. */
export interface PulledDescriptor {
  mediaType: string;
  /** `sha256:` and 64 hexadecimal digits. */
  digest: string;
  /** Bytes. */
  size: number;
}

/** An image of an index. OCI image-spec, image-index.md. */
export interface IndexEntry extends PulledDescriptor {
  /** Absent or null: it may be for any. An empty variant is like an absent one. */
  platform?: { os: string; architecture: string; variant?: string | undefined } | null | undefined;
  annotations?: Record<string, string> | undefined;
}

export interface PullPlatform {
  /** `linux`. */
  os: string;
  /** `amd64`, `arm64`, … */
  architecture: string;
  /** `v7`; absent or empty for the usual one of the architecture. */
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
   * Fetch and unpack a layer unless the store has it.
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

/** Media types of what a name may lead to: OCI's own and Docker's. */
export const MANIFEST_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];
export const INDEX_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
/** No manifest, index or configuration may be larger (bytes). OCI distribution-spec, "Pushing Manifests". */
export const DOCUMENT_MOST = 4 * 1024 * 1024;
/** An entry of an index with this annotation is a proof of how an image was made, and not an image. */
export const PROOF = 'vnd.docker.reference.type';

/** What `download` takes from the options of the pull. */
export type DownloadOptions = Pick<PullOptions, 'transport' | 'firstWait' | 'signal' | 'onEvent'>;

/** What `pull` is made of besides itself. */
export type PullParts = Pick<PullPlank, 'choosePlatform' | 'download'>;

export interface PullPlank {
  /**
   * Read a name, familiar or complete.
   * @throws Error that quotes the name if it is malformed
   */
  parseReference(text: string): ImageName;

  /**
   * Read a header WWW-Authenticate. RFC 9110, section 11.6.1.
   * @returns the challenges in their order. Where the text makes no sense the reading ends; what was read before counts.
   */
  parseChallenges(header: string): Challenge[];

  /**
   * The request that gets a token for a Bearer challenge. Distribution specification, "Token Authentication".
   * @throws PullRefused of the kind `protocol` if the realm is not a URL that a password may go to
   */
  tokenRequest(challenge: Challenge, question: TokenQuestion): RequestHead;

  /**
   * The request that a redirect leads to. RFC 9110, section 15.4.
   * @param location the header of that name: absolute, or relative to the URL of the request.
   * @throws PullRefused of the kind `protocol` if it leads to something that must not be asked
   */
  followRedirect(request: RequestHead, location: string): RequestHead;

  /**
   * One image of an index that has one for each of several platforms.
   * @param step for the error: `use the index sha256:…`
   * @throws PullRefused of the kind `not-found` that lists the platforms of the index
   */
  choosePlatform<Entry extends IndexEntry>(manifests: Entry[], platform: PullPlatform, step: string): Entry;

  /**
   * The bytes of a blob, verified. A download that breaks goes on where it was. RFC 9110, section 14, "Range Requests".
   * @throws PullRefused, the errors of `transport`, or the reason of `signal`
   */
  download(options: DownloadOptions, blob: Pick<PulledDescriptor, 'digest' | 'size'>): AsyncIterable<Uint8Array>;

  /**
   * Fetch the manifest, choose the platform, fetch the configuration and the layers. The manifest is stored last, after
   * everything that it names.
   * @throws PullRefused, the errors of `transport` and of `store`, or the reason of `signal`
   */
  pull(options: PullOptions, parts: PullParts): Promise<PulledImage>;
}
