import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { backOff, checkRestartPolicy, restartsAfter, startsWithDaemon } from './restart-policy.ts';

const policy = (Name: string, MaximumRetryCount = 0) => ({ Name, MaximumRetryCount });
const after = (name: string, most: number, exitCode: number, restartCount = 0, stoppedByHand = false) =>
  restartsAfter(policy(name, most), { exitCode, restartCount, stoppedByHand });

test('no policy starts nothing', () => {
  for (const name of ['', 'no'])
    fc.assert(
      fc.property(fc.nat(255), fc.nat(9), fc.boolean(), (code, count, byHand) => {
        expect(after(name, 0, code, count, byHand)).toBe(false);
        expect(startsWithDaemon(policy(name), byHand)).toBe(false);
      }),
    );
});

test('on-failure starts again what failed, so often as it may', () => {
  expect(after('on-failure', 0, 1, 1000)).toBe(true);
  expect(after('on-failure', 0, 0)).toBe(false);
  expect([0, 1, 2, 3].map((count) => after('on-failure', 2, 7, count))).toEqual([true, true, false, false]);
  expect(startsWithDaemon(policy('on-failure'), false)).toBe(false);
});

test('always starts again whatever happened, and unless-stopped unless a client stopped it', () => {
  for (const code of [0, 1, 137])
    for (const byHand of [true, false]) {
      expect(after('always', 0, code, 9, byHand)).toBe(true);
      expect(after('unless-stopped', 0, code, 9, byHand)).toBe(!byHand);
    }
  expect(startsWithDaemon(policy('always'), true)).toBe(true);
  expect(startsWithDaemon(policy('unless-stopped'), true)).toBe(false);
  expect(startsWithDaemon(policy('unless-stopped'), false)).toBe(true);
});

test('waits twice as long each time, a minute at most, and 100 ms after it has run for ten seconds', () => {
  const waits = [0];
  for (let turn = 0; turn < 12; turn++) waits.push(backOff(waits.at(-1)!, 9_999));
  expect(waits.slice(1, 4)).toEqual([100, 200, 400]);
  expect(waits.slice(-2)).toEqual([60_000, 60_000]);
  expect(backOff(60_000, 10_000)).toBe(100);
});

test('a policy that is not one is refused in Docker’s words', () => {
  const refused = (given: { Name: string; MaximumRetryCount: number }, AutoRemove = false) => {
    try {
      checkRestartPolicy({ RestartPolicy: given, AutoRemove });
      return 'taken';
    } catch (error) {
      return (error as Error).message;
    }
  };
  expect(refused(policy('sometimes'))).toMatch(/unknown policy 'sometimes'; use one of/);
  expect(refused(policy('always', 3))).toBe(
    "invalid restart policy: maximum retry count cannot be used with restart policy 'always'",
  );
  expect(refused(policy('on-failure', -1))).toBe('invalid restart policy: maximum retry count cannot be negative');
  expect(refused(policy('always'), true)).toBe("can't create 'AutoRemove' container with restart policy");
  for (const good of [policy(''), policy('no'), policy('always'), policy('on-failure', 3), policy('unless-stopped')])
    expect(refused(good)).toBe('taken');
});
