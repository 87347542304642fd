/** The shapes of what a subject may say. Only the judge looks, so that no subject has to load what looks. */

import * as z from 'zod';
import type { Thrown } from './wire.ts';

const thrownSchema: z.ZodType<Thrown> = z.object({
  name: z.string().max(200),
  message: z.string().max(65536),
  code: z.string().max(200).optional(),
  syscall: z.string().max(200).optional(),
  stack: z.string().max(65536).optional(),
});

export const answerSchema = z.union([
  z.strictObject({ id: z.int().min(1), value: z.unknown() }),
  z.strictObject({ id: z.int().min(1), thrown: thrownSchema }),
  z.strictObject({ ready: z.array(z.string().max(200)).max(1000) }),
  z.strictObject({ broken: thrownSchema }),
]);
export type Answer = z.infer<typeof answerSchema>;
