import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decode, encode, JA, JEQ, MOST_INSTRUCTIONS, RET } from '#kernel/classic-bpf';
import { answer, assemble, branch, here, jump, type Line, label, load } from './assembler.ts';
import { run } from './interpreter.ts';

const call = { nr: 7, arch: 0 };
const padding = (count: number): Line[] => Array.from({ length: count }, () => load(4));

test('a test skips at most 255 instructions itself', () => {
  const far = label('far');
  const program = assemble([load(0), branch('equal', 7, { yes: far }), ...padding(255), here(far), answer(1)]);
  expect(program[1]).toEqual({ code: JEQ, jt: 255, jf: 0, k: 7 });
  expect(program.some(({ code }) => code === JA)).toBe(false);
});

test('one further it gets a long jump of its own, and still goes the same two ways', () => {
  const far = label('far');
  const lines = [load(0), branch('equal', 7, { yes: far }), ...padding(255), answer(2), here(far), answer(1)];
  const program = assemble(lines);
  expect(program.slice(1, 3)).toEqual([
    { code: JEQ, jt: 0, jf: 1, k: 7 },
    { code: JA, jt: 0, jf: 0, k: 256 },
  ]);
  expect(run(program, call).value).toBe(1);
  expect(run(program, { nr: 8, arch: 0 }).value).toBe(2);
});

test('both ways can be long', () => {
  const [one, two] = [label('one'), label('two')];
  const program = assemble([
    load(0),
    branch('equal', 7, { yes: one, no: two }),
    ...padding(1000),
    here(one),
    answer(1),
    here(two),
    answer(2),
  ]);
  expect(program).toHaveLength(2 + 2 + 1000 + 2);
  expect([7, 8].map((nr) => run(program, { nr, arch: 0 }).value)).toEqual([1, 2]);
});

test('whatever the distances, a program goes where its labels say', () => {
  const step = fc.record({ size: fc.integer({ min: 0, max: 300 }), yes: fc.nat(), no: fc.nat() });
  const walks = fc.tuple(fc.array(step, { minLength: 1, maxLength: 8 }), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(walks, ([steps, nr]) => {
      // Step i tests bit i of nr and goes on at one of the later places, the last of which is an end and answers.
      const places = [...steps, 'end'].map((_, index) => label(`place ${index}`));
      const next = (index: number, by: number) => index + 1 + (by % (steps.length - index));
      const lines = steps.flatMap(({ size, yes, no }, index): Line[] => [
        here(places[index]!),
        load(0),
        branch('anyBit', 1 << index, { yes: places[next(index, yes)]!, no: places[next(index, no)]! }),
        ...padding(size),
        answer(1000 + index),
      ]);
      const program = assemble([...lines, here(places[steps.length]!), answer(1)]);
      let [at, visits] = [0, 0];
      while (at < steps.length) {
        visits += 1;
        at = next(at, nr & (1 << at) ? steps[at]!.yes : steps[at]!.no);
      }
      const verdict = run(program, { nr, arch: 0 });
      expect(verdict.value).toBe(1);
      expect(verdict.steps).toBeGreaterThanOrEqual(2 * visits + 1);
      expect(verdict.steps).toBeLessThanOrEqual(3 * visits + 1);
    }),
    { numRuns: 200 },
  );
});

test('a jump backwards and a label that is nowhere are refused: the kernel takes no loops', () => {
  const place = label('place');
  expect(() => assemble([here(place), load(0), jump(place)])).toThrow('A jump to the label place would go backwards.');
  expect(() => assemble([jump(place), answer(0)])).toThrow('The label place is nowhere in the program.');
});

test('4096 instructions are encoded and come back the same, one more is refused with a way out', () => {
  const program = Array.from({ length: MOST_INSTRUCTIONS }, (_, k) => ({ code: RET, jt: 0, jf: 0, k }));
  expect(decode(encode(program))).toEqual(program);
  expect(() => encode([...program, program[0]!])).toThrow(/4097 BPF instructions .* at most 4096.*Use fewer/);
});
