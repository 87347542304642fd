import { UnexpectedEnd } from '#contract/byte-reader';
import { DecoderError } from '#kernel/decoders';
import { ContainerError, type FailureKind } from '../container/errors.ts';
import { InvalidBuild } from '../image/build/build-error.ts';
import { PatternTooLong } from '../image/glob.ts';
import { AmbiguousImage, ImageConflict, ImageNotFound } from '../image/image-errors.ts';
import { InvalidReference } from '../image/reference.ts';
import { HostileArchive } from '../image/tar-header.ts';
import { RegistryError, type RegistryFailure } from '../registry/client/registry-error.ts';

/** An answer other than success. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const STATUS: Record<FailureKind, number> = {
  'not-found': 404,
  conflict: 409,
  invalid: 400,
  forbidden: 403,
  unsupported: 501,
  'not-modified': 304,
  failed: 500,
};

/** Where none is named, 500: the fault is not the client's. */
const REGISTRY_STATUS: Partial<Record<RegistryFailure, number>> = {
  unauthorized: 401,
  denied: 403,
  'not-found': 404,
  unsupported: 501,
};

/** What to answer for whatever was thrown. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof ContainerError) return new ApiError(STATUS[error.kind], error.message);
  if (error instanceof ImageNotFound) return new ApiError(404, error.message);
  if (error instanceof InvalidReference || error instanceof AmbiguousImage) return new ApiError(400, error.message);
  if (error instanceof RegistryError) return new ApiError(REGISTRY_STATUS[error.kind] ?? 500, error.message);
  if (error instanceof ImageConflict) return new ApiError(409, error.message);
  if (error instanceof InvalidBuild) return new ApiError(400, error.message);
  if (error instanceof HostileArchive || error instanceof UnexpectedEnd || error instanceof DecoderError)
    return new ApiError(400, error.message);
  if (error instanceof PatternTooLong) return new ApiError(400, error.message);
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new ApiError(
      500,
      `no space left on the disk that holds this engine's state: ${message}. Make room and try again.`,
    );
  return new ApiError(500, message ?? String(error));
}
