/**
 * Seccomp profiles as people write them: Docker's format, and the `linux.seccomp` of the OCI runtime specification,
 * which is the same without conditions on the host. docs.docker.com, "Seccomp security profiles"; config-linux.md,
 * "Seccomp". Whatever is not known is refused by name, since a rule that is passed over can be a hole.
 */

import { constants } from 'node:os';
import * as z from 'zod';
import { type Action, actions, HIGHEST_ERRNO } from './actions.ts';
import { architectureNames } from './architectures.ts';
import { operators } from './operators.ts';

/** A profile, or something in it, that cannot be. */
export class SeccompProfileError extends Error {
  override readonly name = 'SeccompProfileError';
  readonly code = 'EINVAL';
}

const HIGHEST_WORD = 2n ** 64n - 1n;
const notify =
  'SCMP_ACT_NOTIFY has another process decide about each call, and this engine has none. Use SCMP_ACT_ERRNO or SCMP_ACT_TRACE.';

const oneOf = <const T extends readonly string[]>(what: string, names: T) =>
  z.enum(names, { error: ({ input }) => `${shown(input)} is not ${what}; there is ${names.join(', ')}` });

const action = z.enum(actions as [Action, ...Action[]], {
  error: ({ input }) =>
    input === 'SCMP_ACT_NOTIFY' ? notify : `${shown(input)} is not an action; there is ${actions.join(', ')}`,
});

const errnoName = z
  .string()
  .refine((name) => Object.hasOwn(constants.errno, name), { error: ({ input }) => `${shown(input)} is not an errno` });

const errnoRet = z.number().int().min(0).max(HIGHEST_ERRNO);

/** 0…2⁶⁴−1; beyond 2⁵³ JSON numbers are not exact in JavaScript, so there it is a string of digits. */
const word = z.union([
  z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  z
    .string()
    .regex(/^\d{1,20}$/)
    .refine((digits) => BigInt(digits) <= HIGHEST_WORD),
]);

const argument = z.strictObject({
  index: z.number().int().min(0).max(5),
  value: word,
  valueTwo: word.optional(),
  op: oneOf('a comparison', operators),
});

const hostCondition = z
  .strictObject({
    caps: z.array(z.string()).nullish(),
    arches: z.array(z.string()).nullish(),
    minKernel: z
      .string()
      .regex(/^\d+\.\d+$/, { error: ({ input }) => `${shown(input)} is not a kernel version like 4.8` })
      .nullish(),
  })
  .nullish();

const syscall = z
  .strictObject({
    names: z.array(z.string()).nullish(),
    /** As Docker before 1.13 had it. */
    name: z.string().nullish(),
    action,
    errnoRet: errnoRet.nullish(),
    /** As Podman has it: the number by its name. */
    errno: errnoName.nullish(),
    args: z.array(argument).nullish(),
    comment: z.string().nullish(),
    includes: hostCondition,
    excludes: hostCondition,
  })
  .refine(({ name, names }) => Boolean(name) !== Boolean(names?.length), {
    error: 'it needs names (or, in old profiles, one name)',
  })
  .transform(({ name, names, errno, ...rest }) => ({
    ...rest,
    names: name ? [name] : names!,
    errnoRet: errno ? errnoNumber(errno) : (rest.errnoRet ?? undefined),
  }));

const profile = z
  .strictObject({
    defaultAction: action,
    defaultErrnoRet: errnoRet.nullish(),
    defaultErrno: errnoName.nullish(),
    architectures: z.array(oneOf('an architecture', architectureNames)).nullish(),
    archMap: z
      .array(
        z.strictObject({
          architecture: oneOf('an architecture', architectureNames),
          subArchitectures: z.array(oneOf('an architecture', architectureNames)).nullish(),
        }),
      )
      .nullish(),
    flags: z
      .array(
        oneOf('a flag this engine has', [
          'SECCOMP_FILTER_FLAG_TSYNC',
          'SECCOMP_FILTER_FLAG_LOG',
          'SECCOMP_FILTER_FLAG_SPEC_ALLOW',
        ]),
      )
      .nullish(),
    syscalls: z.array(syscall).nullish(),
  })
  .refine(({ architectures, archMap }) => !(architectures?.length && archMap?.length), {
    error: 'architectures and archMap say the same thing; use one of them',
  })
  .transform(({ defaultErrno, ...rest }) => ({
    ...rest,
    defaultErrnoRet: defaultErrno ? errnoNumber(defaultErrno) : (rest.defaultErrnoRet ?? undefined),
    syscalls: rest.syscalls ?? [],
  }));

export type Profile = z.output<typeof profile>;
export type ProfileSyscall = Profile['syscalls'][number];
export type HostCondition = z.output<typeof hostCondition>;

/** `linux.seccomp` of a config.json: a profile after its conditions on the host have been settled. */
export interface Seccomp extends Pick<Profile, 'defaultAction' | 'defaultErrnoRet' | 'architectures' | 'flags'> {
  syscalls: Pick<ProfileSyscall, 'names' | 'action' | 'errnoRet' | 'args'>[];
}

/** Check a profile that came as a JSON document. @throws SeccompProfileError that names the place and what is wrong there. */
export function parseProfile(document: unknown): Profile {
  const result = profile.safeParse(document);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const place = issue.path.join('.') || 'at its top';
  throw new SeccompProfileError(`The seccomp profile cannot be used: ${place}: ${issue.message}`);
}

/** The same for text, which keeps numbers beyond 2⁵³ as they are. */
export function parseProfileText(text: string): Profile {
  let document: unknown;
  try {
    document = JSON.parse(
      text.replace(/"(?:[^"\\]|\\.)*"|\d{16,}/g, (match) => (match[0] === '"' ? match : `"${match}"`)),
    );
  } catch (error) {
    throw new SeccompProfileError(`The seccomp profile is not JSON: ${(error as Error).message}`);
  }
  return parseProfile(document);
}

function errnoNumber(name: string): number {
  return constants.errno[name as keyof typeof constants.errno];
}

function shown(input: unknown): string {
  return (JSON.stringify(input) ?? 'nothing').slice(0, 60);
}
