/**
 * What the caller can do about a failure:
 * - `not-found` there is no such thing · `conflict` its state, or another's name, forbids it
 * - `invalid` the request is wrong in itself · `unsupported` this engine does not have it
 * - `forbidden` it is made so that it cannot be written to
 * - `not-modified` it is so already · `failed` it was tried and went wrong
 */
export type FailureKind =
  | 'not-found'
  | 'conflict'
  | 'invalid'
  | 'forbidden'
  | 'unsupported'
  | 'not-modified'
  | 'failed';

/** A request to the container room that cannot be met. The message is a sentence for the caller. */
export class ContainerError extends Error {
  override readonly name = 'ContainerError';
  readonly kind: FailureKind;

  constructor(kind: FailureKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
