/**
 * Which rules hold for a system call of one architecture. The specification leaves open what happens when several
 * rules name one call; this is what libseccomp makes of it, and so runc and Docker:
 *
 * 1. A rule with the default action says nothing.
 * 2. A rule without conditions ends the matter: those with conditions no longer count, wherever they stand, and of
 *    several without conditions the first one counts.
 * 3. Rules with conditions are alternatives; precedence.ts says which one counts when several fit. A call that fits
 *    none gets the default action.
 * 4. All conditions of a rule have to hold, unless two of them are about the same argument: then each is a rule of its own.
 * 5. A name the architecture does not have is passed over: profiles name calls of many architectures and kernels.
 */

import { type Action, letsThrough, returnValue } from './actions.ts';
import type { Architecture } from './architectures.ts';
import { alwaysHolds } from './arguments.ts';
import { otherDoor } from './multiplexed.ts';
import type { Condition } from './operators.ts';
import { inOrder } from './precedence.ts';
import type { Seccomp } from './profile.ts';

export interface Rule {
  /** None: the rule always fits, and is the only one of its call. */
  conditions: Condition[];
  /** What the filter returns. */
  value: number;
}

export interface ArchitectureRules {
  /** Rules by the number of the call, without the architecture's bit. */
  calls: Map<number, Rule[]>;
  /** The highest number of a call that the profile names, with whatever action. Calls beyond it its author did not know. */
  highest: number | undefined;
}

export function rulesFor(seccomp: Seccomp, architecture: Architecture): ArchitectureRules {
  const { defaultAction, defaultErrnoRet, syscalls } = seccomp;
  const numbers = architecture.syscalls();
  const calls = new Map<number, Rule[]>();
  const otherwise = returnValue(defaultAction, defaultErrnoRet);
  for (const { names, action, errnoRet, args } of syscalls) {
    const value = returnValue(action, errnoRet);
    if (value === otherwise) continue;
    const alternatives = alternativesOf((args ?? []).map(toCondition), architecture);
    for (const name of names) {
      for (const conditions of alternatives) {
        const rule = { conditions, value };
        const number = numbers.get(name);
        if (number !== undefined) add(calls, number, rule);
        if (architecture.name === 'SCMP_ARCH_X86') addAtOtherDoor(calls, numbers, name, rule, action);
      }
    }
  }
  for (const [number, rules] of calls) if (rules.length > 1) calls.set(number, inOrder(rules));
  return { calls, highest: highestNamed(syscalls, numbers) };
}

function highestNamed(syscalls: Seccomp['syscalls'], numbers: ReadonlyMap<string, number>): number | undefined {
  let highest = -1;
  for (const { names } of syscalls) for (const name of names) highest = Math.max(highest, numbers.get(name) ?? -1);
  return highest < 0 ? undefined : highest;
}

function toCondition({
  index,
  op,
  value,
  valueTwo,
}: NonNullable<Seccomp['syscalls'][number]['args']>[number]): Condition {
  return { index, op, value: BigInt(value), valueTwo: BigInt(valueTwo ?? 0) };
}

/** The conditions of the rules that one rule of the profile stands for. */
function alternativesOf(conditions: Condition[], { bits }: Architecture): Condition[][] {
  const sameArgument = new Set(conditions.map(({ index }) => index)).size < conditions.length;
  const alternatives = sameArgument ? conditions.map((condition) => [condition]) : [conditions];
  return alternatives.map((all) => all.filter((condition) => !alwaysHolds(condition, bits)));
}

function add(calls: Map<number, Rule[]>, number: number, rule: Rule): void {
  const rules = calls.get(number) ?? [];
  if (rules[0]?.conditions.length === 0) return;
  calls.set(number, rule.conditions.length === 0 ? [rule] : [...rules, rule]);
}

/**
 * Behind the other door the arguments are in memory, where no filter can look. So a rule with conditions is taken there
 * as if they held when it stops a call, and as if they did not when it lets one through.
 */
function addAtOtherDoor(
  calls: Map<number, Rule[]>,
  numbers: ReadonlyMap<string, number>,
  name: string,
  { conditions, value }: Rule,
  action: Action,
): void {
  const door = otherDoor(name);
  if (door === undefined || (conditions.length > 0 && letsThrough(action))) return;
  add(calls, numbers.get(door.call)!, { conditions: [door.condition], value });
}
