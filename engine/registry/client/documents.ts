/** Manifests, indexes and configurations as a registry sends them: none is larger than it may be, each has its digest. */

import { createHash } from 'node:crypto';
import { isDigest } from '../../image/digest.ts';
import { DOCUMENT_MOST, type PulledDescriptor, type PullOptions, PullRefused } from '../contract/pull.ts';
import { ACCEPTED, typeOf } from '../contract/pulled-documents.ts';
import type { RegistryResponse } from '../contract/transport.ts';

export interface Document extends PulledDescriptor {
  bytes: Uint8Array;
}

/** What a tag or a digest names. @throws PullRefused, and the errors of `transport` */
export async function fetchNamed(
  { transport, signal }: Pick<PullOptions, 'transport' | 'signal'>,
  reference: string,
): Promise<Document> {
  const step = `fetch the manifest ${reference}`;
  const path = `manifests/${reference}`;
  const answer = await transport({ method: 'GET', path, headers: { accept: ACCEPTED }, step, signal });
  const bytes = await readDocument(answer, step);
  const digest = digestOf(bytes);
  const promised = isDigest(reference) ? reference : answer.headers['docker-content-digest'];
  if (promised !== undefined && isDigest(promised) && promised !== digest)
    throw new PullRefused('protocol', step, `its bytes have the digest ${digest}, not ${promised}`);
  return { bytes, digest, size: bytes.length, mediaType: typeOf(answer.headers['content-type'], bytes, step) };
}

/** A document that is named by its digest; it may be in the store already. */
export async function fetchDocument(
  options: PullOptions,
  wanted: PulledDescriptor,
  kind: 'manifest' | 'configuration',
): Promise<Uint8Array> {
  const known = await options.store.findDocument(wanted.digest);
  return known?.length === wanted.size ? known : fetchSmall(options, wanted, kind);
}

/** A document that is named by its digest. @throws PullRefused, and the errors of `transport` */
export async function fetchSmall(
  { transport, signal }: Pick<PullOptions, 'transport' | 'signal'>,
  wanted: PulledDescriptor,
  kind: 'manifest' | 'configuration',
): Promise<Uint8Array> {
  const step = `fetch the ${kind} ${wanted.digest}`;
  if (wanted.size > DOCUMENT_MOST)
    throw new PullRefused(
      'protocol',
      step,
      `it is said to have ${wanted.size} bytes, a document at most ${DOCUMENT_MOST}`,
    );
  const path = `${kind === 'manifest' ? 'manifests' : 'blobs'}/${wanted.digest}`;
  const headers = kind === 'manifest' ? { accept: ACCEPTED } : undefined;
  const bytes = await readDocument(await transport({ method: 'GET', path, headers, step, signal }), step);
  if (bytes.length !== wanted.size)
    throw new PullRefused('protocol', step, `it has ${bytes.length} bytes, but should have ${wanted.size}`);
  const digest = digestOf(bytes);
  if (digest !== wanted.digest) throw new PullRefused('protocol', step, `its bytes have the digest ${digest}`);
  return bytes;
}

async function readDocument(answer: RegistryResponse, step: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body) {
    size += chunk.length;
    if (size > DOCUMENT_MOST) {
      await answer.discard();
      throw new PullRefused('protocol', step, `it has more than ${DOCUMENT_MOST} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
