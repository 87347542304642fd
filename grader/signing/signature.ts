/**
 * A signature lies beside the file that it signs: 64 bytes in FILE.sig, over the bytes of the file as they are. So
 * `openssl pkeyutl -verify -pubin -inkey PUB -rawin -in FILE -sigfile FILE.sig` checks it as well.
 */

import { type KeyObject, sign, verify } from 'node:crypto';
import fs from 'node:fs';
import { writeAtomically } from '../../engine/container/atomic-file.ts';

const BYTES = 64;

function signatureFile(file: string): string {
  return `${file}.sig`;
}

/** @param file a document that is whole. @throws Error as of the file system */
export async function signFile(file: string, key: KeyObject): Promise<void> {
  const signature = sign(null, fs.readFileSync(file), key);
  const place = signatureFile(file);
  const there = fs.existsSync(place) ? fs.readFileSync(place) : undefined;
  if (there?.equals(signature) !== true) await writeAtomically(place, signature);
}

/** Remove the signature of what `file` held before: of the new content it would say that it is forged. */
export function dropSignature(file: string): void {
  if (readSignature(file)?.length === BYTES) fs.rmSync(signatureFile(file));
}

export type Verdict = 'signed' | 'unsigned' | 'forged';

/** @param bytes of the document, as they were read: what is checked is what is used. */
export function verdictOf(bytes: Uint8Array, signature: Uint8Array | undefined, key: KeyObject): Verdict {
  if (signature === undefined) return 'unsigned';
  return signature.length === BYTES && verify(null, bytes, key, signature) ? 'signed' : 'forged';
}

/** @returns undefined without a file beside `file`; no bytes if that is not a regular file of the size of a signature. */
export function readSignature(file: string): Uint8Array | undefined {
  const place = signatureFile(file);
  const stat = fs.statSync(place, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  return stat.isFile() && stat.size === BYTES ? fs.readFileSync(place) : new Uint8Array();
}
