import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DeviceRule } from '../spec.ts';
import { runProgram } from '../testing/ebpf.ts';
import { deviceProgram } from './device-program.ts';
import { deviceRules } from './device-rules.ts';

interface Use {
  type: 'b' | 'c';
  major: number;
  minor: number;
  /** Of `m`, `r` and `w`. */
  access: string;
}

/** What the rules mean: for each access that is asked for the last rule that names it decides, and what none names is denied. */
function allows(rules: DeviceRule[], { type, major, minor, access }: Use): boolean {
  return [...access].every((letter) => {
    const naming = rules.filter(
      (rule) =>
        ['a', type].includes(rule.type ?? 'a') &&
        [undefined, major].includes(rule.major) &&
        [undefined, minor].includes(rule.minor) &&
        (rule.access ?? 'rwm').includes(letter),
    );
    return naming.at(-1)?.allow ?? false;
  });
}

const bits: Record<string, number> = { m: 1, r: 2, w: 4 };

/** What the kernel would be told: struct bpf_cgroup_dev_ctx. */
function answer(rules: DeviceRule[], { type, major, minor, access }: Use): boolean {
  const asked = [...access].reduce((sum, letter) => sum | bits[letter]!, 0);
  return runProgram(deviceProgram(rules), [(asked << 16) | (type === 'b' ? 1 : 2), major, minor]) === 1;
}

const numbers = fc.constantFrom(0, 1, 3, 136, 0xfff);
const access = fc.subarray(['r', 'w', 'm']).map((letters) => letters.join(''));
const use = fc.record({ type: fc.constantFrom('b' as const, 'c' as const), major: numbers, minor: numbers, access });
const rule: fc.Arbitrary<DeviceRule> = fc.record(
  {
    allow: fc.boolean(),
    type: fc.constantFrom('a' as const, 'b' as const, 'c' as const),
    major: numbers,
    minor: numbers,
    access,
  },
  { requiredKeys: ['allow'] },
);

test('the program answers what the rules mean, whatever they are', () => {
  const rules = fc.array(rule, { maxLength: 8 }).map((list) => deviceRules(list, []));
  fc.assert(
    fc.property(rules, fc.array(use, { minLength: 1, maxLength: 20 }), (list, uses) => {
      for (const each of uses) expect(answer(list, each), JSON.stringify(each)).toBe(allows(list, each));
    }),
    { numRuns: 500 },
  );
});

test('the usual rules allow the usual devices, what was given, and making nodes; no other use of any device', () => {
  const rules = deviceRules(undefined, [{ type: 'b', path: '/dev/given', major: 8, minor: 1 }]);
  const allowed: string[] = [];
  for (const type of ['b', 'c'] as const)
    for (const major of [0, 1, 5, 7, 8, 10, 136, 254])
      for (const minor of [0, 1, 2, 3, 5, 7, 8, 9, 11, 229])
        for (const access of ['r', 'w', 'rw', 'm']) {
          const each = { type, major, minor, access };
          expect(answer(rules, each), JSON.stringify(each)).toBe(allows(rules, each));
          if (access === 'rw' && major !== 136 && answer(rules, each)) allowed.push(`${type} ${major}:${minor}`);
          if (access === 'm') expect(answer(rules, each)).toBe(true);
        }
  expect(allowed).toEqual(['b 8:1', 'c 1:3', 'c 1:5', 'c 1:7', 'c 1:8', 'c 1:9', 'c 5:0', 'c 5:1', 'c 5:2']);
});

test('reading by one rule and writing by another is reading and writing', () => {
  const rules: DeviceRule[] = [
    { allow: false },
    { allow: true, type: 'c', major: 1, access: 'r' },
    { allow: true, type: 'c', major: 1, minor: 11, access: 'w' },
  ];
  expect(answer(rules, { type: 'c', major: 1, minor: 11, access: 'rw' })).toBe(true);
  expect(answer(rules, { type: 'c', major: 1, minor: 12, access: 'rw' })).toBe(false);
});

test('no rules allow nothing, and a rule for everything makes those before it void', () => {
  const disk = { type: 'b', major: 254, minor: 0, access: 'r' } as const;
  expect(answer([], disk)).toBe(false);
  expect(answer([{ allow: false, type: 'b' }, { allow: true }], disk)).toBe(true);
  expect(answer([{ allow: true }, { allow: false }], disk)).toBe(false);
});
