import type { Readable } from 'node:stream';
import type * as z from 'zod';
import { unreasonableJson } from '../image/json-shape.ts';
import { ApiError } from './api-error.ts';

/**
 * How large a JSON body may be. What a container is to run with, its environment above all, is the largest there is; the
 * kernel takes 2 MiB of that at most, and most hosts less. execve(2), "Limits on size of arguments and environment".
 */
export const BODY_SIZE = { small: 64 * 1024, large: 1024 * 1024 } as const;
/** Values in one body. */
const VALUES_MAX = 20_000;
/** Milliseconds that a client has to send a body. */
const PATIENCE = 30_000;

/**
 * Read the body of a request to its end.
 * @param length its announced length; undefined for a chunked body, whose end is the stream's.
 * @param most bytes.
 * @throws ApiError 413 when it is too large, 408 when it takes too long, 400 when it ends early
 */
export async function readBody(stream: Readable, length: number | undefined, most: number): Promise<Buffer> {
  if (length !== undefined && length > most) throw tooLarge(most);
  if (length === 0) return Buffer.alloc(0);
  return await new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const finish = (act: () => void) => {
      clearTimeout(timer);
      stream.off('data', onData).off('end', onEnd).off('error', onEnd).off('close', onEnd);
      act();
    };
    const onData = (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > most) return finish(() => reject(tooLarge(most)));
      if (length === undefined || size < length) return;
      const all = Buffer.concat(chunks);
      stream.pause();
      finish(() => resolve(all.subarray(0, length)));
      // What follows the body of a request to upgrade belongs to the stream it becomes.
      if (size > length) stream.unshift(all.subarray(length));
    };
    const onEnd = () =>
      finish(() =>
        length === undefined
          ? resolve(Buffer.concat(chunks))
          : reject(new ApiError(400, `the body ended after ${size} of ${length} bytes`)),
      );
    const timer = setTimeout(
      () => finish(() => reject(new ApiError(408, 'the body of the request did not arrive in time'))),
      PATIENCE,
    );
    stream.on('data', onData).on('end', onEnd).on('error', onEnd).on('close', onEnd);
  });
}

/** The body as JSON; an empty one is an empty object. @throws ApiError 400 */
export function parseJsonBody(body: Buffer): Record<string, unknown> {
  const text = body.toString('utf8').trim();
  if (text === '') return {};
  const why = unreasonableJson(body, VALUES_MAX);
  if (why !== undefined) throw new ApiError(400, `invalid JSON: ${why}`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ApiError(400, `invalid JSON: ${(error as Error).message}`);
  }
  if (json === null) return {};
  if (typeof json !== 'object' || Array.isArray(json)) throw new ApiError(400, 'invalid JSON: an object is expected');
  return json as Record<string, unknown>;
}

/** @throws ApiError 400 that says where the document departs from what it should be */
export function validate<T extends z.ZodType>(schema: T, document: unknown): z.infer<T> {
  const parsed = schema.safeParse(document);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ApiError(400, `invalid request: ${issue?.path.join('.') || 'the body'}: ${issue?.message ?? 'is wrong'}`);
}

function tooLarge(most: number): ApiError {
  return new ApiError(413, `the body of the request is larger than ${most} bytes`);
}
