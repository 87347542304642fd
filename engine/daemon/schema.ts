import * as z from 'zod';

/** Go clients write null, or nothing, for the zero value. */
const text = z.string().refine((value) => !value.includes('\0'), 'has a NUL character');
export const string = text.nullish().transform((value) => value ?? '');
export const strings = z
  .array(text)
  .max(65_536)
  .nullish()
  .transform((value) => value ?? []);
export const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);
const side = z.int().min(0).max(65_535);
/** Height and width in characters; zeros for "not said". */
export const consoleSize = z
  .tuple([side, side])
  .nullish()
  .transform((value): [number, number] => value ?? [0, 0]);
