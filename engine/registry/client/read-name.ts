/** The name that a pull is asked for, as the plank reads it. */

import { parseReference } from '#pull';
import { parseDigest } from '../../image/digest.ts';
import { InvalidReference, type Reference } from '../../image/reference.ts';

/** @throws InvalidReference */
export function readName(text: string): Reference {
  try {
    const { digest, ...name } = parseReference(text);
    return { ...name, ...(digest !== undefined && { digest: parseDigest(digest) }) };
  } catch (error) {
    throw error instanceof InvalidReference ? error : new InvalidReference((error as Error).message);
  }
}
