import type { StepFailure } from '#contract/process';
import { startErrorOf } from '../start-error.ts';
import type { ShimFailure } from './protocol.ts';

/** A request that cannot be met, and what the caller can do about it. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly kind: ShimFailure['kind'];

  constructor(kind: ShimFailure['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}

export function failureOf(error: unknown): ShimFailure {
  const { step, code, message, exitCode }: StepFailure = startErrorOf(error);
  return { kind: error instanceof RequestError ? error.kind : 'failed', step, code, message, exitCode };
}
