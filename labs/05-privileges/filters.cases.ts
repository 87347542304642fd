/** Tasks 5 and 6: filters, most of them run on the judge's own copy of the little machine, and two on the kernel. */

import { describe, expect, test } from 'vitest';
import type { ArgumentTest, FilterEntry } from '../../engine/runtime/contract/privileges.ts';
import { eventually, nonce } from '../../grader/harness/evidence.ts';
import { existsSync, readFileSync } from '../../grader/harness/files.ts';
import { draw } from '../../grader/harness/random.ts';
import type { Subject } from '../../grader/harness/suite.ts';
import * as filters from './filters.judge.ts';
import { ALLOW, always, equal, errno, expectAnswer, KILL, NATIVE, native, X32 } from './filters.judge.ts';
import type { Step } from './privileges.driver.ts';
import * as judge from './privileges.judge.ts';

/** @param opened answers the subject of the suite, once it is open. */
export function filterTests(opened: () => Subject): void {
  const assembled = async (entries: FilterEntry[], foreign: number) =>
    filters.checked(await opened().call('instructions', { entries, foreign }));
  describe('a filter by hand', () => {
    test('task 5: each call has the answer of its rule, and every other one the default', async () => {
      for (const fallback of [errno(draw.int(1, 4095)), ALLOW, KILL]) {
        const [ruleless, ...drawn] = filters.drawNumbers(41) as [number, ...number[]];
        const others = drawn.map((number) => always(number, filters.drawAnswer()));
        const calls = draw.some([{ number: ruleless, rules: [] }, ...others, always(451, errno(7))]);
        const entry = native(calls, fallback);
        const program = await assembled([entry], errno(draw.int(1, 4095)));
        for (const nr of [...Array(460).keys(), 0x3fffffff])
          expectAnswer(
            program,
            { nr },
            filters.answerOf(entry, nr),
            nr === ruleless ? 'which is listed without rules' : '',
          );
      }
    });

    test('task 5: a call by an entry that is not listed is foreign, whatever its number', async () => {
      for (const foreign of [errno(draw.int(1, 4095)), ALLOW, KILL]) {
        const calls = filters.drawNumbers(5).map((number) => always(number, errno(1)));
        const [listed, ...strangers] = draw.some(filters.STRANGERS) as [number, ...number[]];
        const entries = draw.some([
          native(calls, errno(2)),
          { ...native([always(0, errno(3))], errno(4)), arch: listed },
        ]);
        const program = await assembled(entries, foreign);
        for (const arch of [...strangers, 0, 0xffffffff])
          for (const nr of [0, ...filters.drawNumbers(5), ...calls.map(({ number }) => number)])
            expectAnswer(program, { arch, nr }, foreign, 'which is not listed');
        for (const entry of entries)
          for (const nr of [0, 451, ...calls.map(({ number }) => number)])
            expectAnswer(program, { arch: entry.arch, nr }, filters.answerOf(entry, nr));
        const nothing = await assembled([], foreign);
        expectAnswer(nothing, { nr: draw.int(0, 400) }, foreign, 'of a filter without entries');
      }
    });

    test('task 5: a range of numbers has an answer of its own, as those of x32 have', async () => {
      const middle = draw.int(300, 600);
      const otherwise = [0, middle, X32, 0xffffffff].map((from) => ({ from, answer: filters.drawAnswer() }));
      for (const [index, range] of otherwise.entries()) if (index % 2 === 1) range.answer = errno(38);
      const calls = draw.some([
        always(2, errno(13)),
        always(X32 + 3, errno(14)),
        { number: middle + 1, rules: [] },
        { number: middle, rules: [{ conditions: [equal(0, 1n)], answer: errno(15) }] },
        { number: X32, rules: [{ conditions: [equal(0, 1n)], answer: errno(16) }] },
      ]);
      const entry = { arch: NATIVE, calls, otherwise };
      const program = await assembled([entry], 0);
      const edges = otherwise.flatMap(({ from }) => [from - 1, from, from + 1, from + 2]);
      const possible = [...edges, 2, X32 + 3, 0xfffffffe].filter((nr) => nr >= 0 && nr <= 0xffffffff);
      for (const nr of possible) expectAnswer(program, { nr }, filters.answerOf(entry, nr));
    });

    test('task 5: a long list fits in the reach of the jumps', async () => {
      const entries = [NATIVE, ...draw.some(filters.STRANGERS, 2)].map((arch, index) => {
        const first = draw.int(0, 50);
        const calls = Array.from({ length: 400 }, (_, at) => always(first + at, errno(first + at + 1000 * index)));
        return { arch, calls: draw.some(calls), otherwise: [{ from: 0, answer: errno(3000 + index) }] };
      });
      const program = await assembled(draw.some(entries), ALLOW);
      for (const entry of entries)
        for (const nr of [0, 127, 128, 255, 256, 399, 500, ...filters.drawNumbers(20)])
          expectAnswer(program, { arch: entry.arch, nr }, filters.answerOf(entry, nr));
      expectAnswer(program, { arch: 5, nr: 1 }, ALLOW);
    });

    test('task 5: the kernel refuses the call, with the errno of the rule', async () => {
      const errors: [number, RegExp][] = [
        [18, /cross-device/i],
        [28, /no space/i],
        [122, /quota/i],
      ];
      const [number, words] = draw.pick(errors);
      const calls = filters.numbers('mkdir', 'mkdirat').map((nr) => always(nr, errno(number)));
      const place = `${opened().scratch}/${nonce()}`;
      const script = `mkdir ${place} 2>${place}.said`;
      const step: Step = { do: 'filter', entries: [native(calls)], foreign: 0 };
      const pid = await judge.running(opened(), { script }, step);
      judge.expectFilters(opened(), pid, 1, 'after its exec');
      expect(existsSync(opened().outsidePath(place)), 'whether mkdir made the directory').toBe(false);
      expect(readFileSync(opened().outsidePath(`${place}.said`), 'utf8'), `what mkdir says of errno ${number}`).toMatch(
        words,
      );
    });
  });

  async function compare(condition: ArgumentTest): Promise<void> {
    const entry = filters.oneCondition(condition);
    filters.tryOneCondition(await assembled([entry], 0), entry, condition);
  }

  describe('conditions on arguments', () => {
    test('task 6: an argument is compared in all of its 64 bits', async () => {
      for (const [at, value] of filters.words().entries()) await compare(equal(at % 6, value));
    });

    test('task 6: greater is unsigned, and the high half decides unless it is equal', async () => {
      for (const value of filters.words()) await compare(equal(draw.int(0, 5), value, { test: 'greater' }));
    });

    test('task 6: a condition with `holds: false` fits when the comparison is false', async () => {
      for (const value of filters.words())
        for (const test of ['equal', 'greater'] as const)
          await compare(equal(draw.int(0, 5), value, { test, holds: false }));
    });

    test('task 6: bits outside of the mask do not count', async () => {
      const drawn = draw.bytes(8).readBigUInt64LE();
      for (const mask of [0x7e020000n, 0xffffffffn, 0xf00000000n, 0x1000000010n, drawn])
        for (const value of [0n, mask, mask & draw.bytes(8).readBigUInt64LE()])
          for (const test of ['equal', 'greater'] as const)
            await compare(equal(draw.int(0, 5), value, { mask, test, holds: draw.boolean() }));
    });

    const tryAll = async (entry: FilterEntry) => {
      const program = await assembled([entry], 0);
      for (let round = 0; round < 60; round++)
        for (const { number } of entry.calls) {
          const args = Array.from({ length: 4 }, () => BigInt(draw.int(0, 3)));
          expectAnswer(
            program,
            { nr: number, args },
            filters.answerOf(entry, number, args),
            JSON.stringify(args.map(Number)),
          );
        }
    };

    test('task 6: a rule needs all of its conditions, and the first that fits counts', async () => {
      const middle = draw.int(100, 300);
      const otherwise = [0, middle].map((from) => ({ from, answer: filters.drawAnswer() }));
      const numbers = [middle - 1, middle, middle + 1, ...filters.drawNumbers(3, 90)];
      const calls = numbers.map((number) => ({
        number,
        rules: filters.drawRules(draw.int(1, 4), () => draw.int(1, 3)),
      }));
      calls.push({
        number: 400,
        rules: [
          ...filters.drawRules(1, () => 2),
          { conditions: [], answer: errno(5) },
          ...filters.drawRules(1, () => 1),
        ],
      });
      await tryAll({ arch: NATIVE, calls: draw.some(calls), otherwise });
    });

    test('task 6: the rules of a call may be longer than a test can skip', async () => {
      const calls = filters.drawNumbers(3).map((number) => ({ number, rules: filters.drawRules(30, () => 3) }));
      // A rule that is as long as one may be: twelve conditions, and the last of them decides.
      const twelve = Array.from({ length: 12 }, (_, at) =>
        equal(Math.floor(at / 2), 100n, { test: 'greater', holds: false }),
      );
      const [first, second] = [equal(5, 3n), equal(0, 101n, { test: 'greater', holds: false })];
      const rules = [
        { conditions: [...twelve.slice(1), first], answer: errno(21) },
        { conditions: [second, ...twelve.slice(1)], answer: errno(22) },
      ];
      const entry = native([...calls, { number: 500, rules }], errno(23));
      await tryAll(entry);
      const program = await assembled([entry], 0);
      for (const args of [
        [0n, 0n, 0n, 0n, 0n, 3n],
        [0n, 0n, 0n, 0n, 0n, 4n],
        [102n, 0n, 0n, 0n, 0n, 4n],
      ])
        expectAnswer(program, { nr: 500, args }, filters.answerOf(entry, 500, args));
    });

    test('task 6: the kernel refuses a call for its argument alone', async () => {
      const [forbidden, permitted] = draw.some([10, 12, 18, 23, 28], 2) as [number, number];
      const rules = [{ conditions: [equal(1, BigInt(forbidden))], answer: errno(122) }];
      const calls = filters.numbers('kill').map((number) => ({ number, rules }));
      const file = `${opened().scratch}/${nonce()}`;
      const kill = (signal: number) =>
        `trap : ${signal}; kill -${signal} $$ 2>>${file}; echo "${signal}: $?" >>${file}`;
      const script = `${kill(permitted)}; ${kill(forbidden)}`;
      await judge.running(opened(), { script }, { do: 'filter', entries: [native(calls)], foreign: 0 });
      const said = await eventually(() => {
        const text = readFileSync(opened().outsidePath(file), 'utf8');
        return text.includes(`${forbidden}: `) ? text : null;
      }, 'The program did not come to its second kill.');
      const wanted = new RegExp(`^${permitted}: 0\n.*quota.*\n${forbidden}: 1\n$`, 'is');
      expect(
        said,
        `what kill says of signal ${permitted}, and of ${forbidden}, to which the filter answers EDQUOT`,
      ).toMatch(wanted);
    });
  });
}
