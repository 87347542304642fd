/** What a profile may ask about an argument of a system call. OCI runtime-spec, config-linux.md, "Seccomp". */

export const operators = [
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
] as const;
export type Operator = (typeof operators)[number];

/** All comparisons are unsigned. With MASKED_EQ `value` is the mask and `valueTwo` what the masked argument has to be. */
export interface Condition {
  /** Which argument, 0…5. */
  index: number;
  op: Operator;
  /** 0…2⁶⁴−1. */
  value: bigint;
  valueTwo: bigint;
}
