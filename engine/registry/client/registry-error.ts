/** What goes wrong between here and a registry: which registry, which repository, which step. */

export type RegistryFailure =
  /** No connection, or it broke. */
  | 'unreachable'
  /** Its certificate is not trusted, or it does not speak TLS. */
  | 'tls'
  /** It wants a login, or another one. */
  | 'unauthorized'
  /** The login does not suffice. */
  | 'denied'
  | 'not-found'
  /** Too many requests. */
  | 'too-many'
  /** It failed by its own account. */
  | 'server'
  /** What it says makes no sense, or does not fit what it said before. */
  | 'protocol'
  /** Sound, but not for this engine. */
  | 'unsupported'
  /** There is no room on the own disk for what it sends. */
  | 'disk'
  /** The client that wanted it has gone. */
  | 'cancelled';

export interface Where {
  /** As the user writes it: `docker.io`, `localhost:5000`. */
  registry: string;
  /** Absent for what concerns the whole registry. */
  repository?: string;
  /** After "cannot": `fetch the manifest latest`. */
  step: string;
}

/** Characters. */
const TEXT_MOST = 4000;

export class RegistryError extends Error {
  readonly code = 'REGISTRY';
  override readonly name = 'RegistryError';
  readonly kind: RegistryFailure;
  readonly registry: string;
  readonly repository: string | undefined;
  readonly step: string;
  /** Of the answer, if there was one. */
  readonly status: number | undefined;

  /** @param why what is wrong and what to do, in one or two sentences without a full stop at the end. */
  constructor(kind: RegistryFailure, where: Where, why: string, status?: number) {
    const repository = where.repository === undefined ? '' : `, repository ${where.repository}`;
    // Whatever a registry's documents and headers hold ends in an error, and this in a terminal.
    super(quoted(`cannot ${where.step} (registry ${where.registry}${repository}): ${why}`, TEXT_MOST));
    this.kind = kind;
    this.registry = where.registry;
    this.repository = where.repository;
    this.step = where.step;
    this.status = status;
  }
}

/** Text of a stranger, fit for a terminal: one line, no control characters, not long. */
export function quoted(text: string, most = 300): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').trim();
  return line.length > most ? `${line.slice(0, most)}…` : line;
}
