import { expect, test } from 'vitest';
import { ContainerConfig } from './config.ts';
import { afterProbe, beginning, checkHealthCheck, type HealthCheck, healthCheckOf, untilNextProbe } from './health.ts';

const config = (Healthcheck: object | null) => ContainerConfig.parse({ Healthcheck });
const check = (more: Partial<HealthCheck> = {}): HealthCheck => ({
  args: ['true'],
  interval: 1000,
  startInterval: 100,
  timeout: 1000,
  startPeriod: 0,
  retries: 3,
  ...more,
});
const said = (ExitCode: number, Output = '') => ({ Start: '', End: '', ExitCode, Output });
const after = (codes: number[], asked: HealthCheck = check(), sinceStart = 0) =>
  codes.reduce((state, code) => afterProbe(state, said(code), asked, sinceStart), beginning(undefined));

test('what is left out has Docker’s value, and durations come as nanoseconds', () => {
  expect(healthCheckOf(config(null))).toBeNull();
  expect(healthCheckOf(config({ Test: ['NONE'] }))).toBeNull();
  expect(healthCheckOf(config({ Test: [] }))).toBeNull();
  expect(healthCheckOf(config({ Test: ['CMD', 'cat', '/x y'] }))).toEqual({
    args: ['cat', '/x y'],
    interval: 30_000,
    startInterval: 5_000,
    timeout: 30_000,
    startPeriod: 0,
    retries: 3,
  });
  const all = { Interval: 5e8, StartInterval: 1e6, Timeout: 2e9, StartPeriod: 6e10, Retries: 7 };
  expect(healthCheckOf(config({ Test: ['CMD-SHELL', 'a && b'], ...all }))).toEqual({
    args: ['/bin/sh', '-c', 'a && b'],
    interval: 500,
    startInterval: 1,
    timeout: 2000,
    startPeriod: 60_000,
    retries: 7,
  });
});

test('one success makes it healthy, and so many failures in a row unhealthy', () => {
  expect(after([]).Status).toBe('starting');
  expect(after([1, 1])).toMatchObject({ Status: 'starting', FailingStreak: 2 });
  expect(after([1, 1, 1])).toMatchObject({ Status: 'unhealthy', FailingStreak: 3 });
  expect(after([1, 1, 0, 1, 1])).toMatchObject({ Status: 'healthy', FailingStreak: 2 });
  expect(after([0, 1, 1, -1]).Status).toBe('unhealthy');
  expect(after([1, 1, 1, 1, 0])).toMatchObject({ Status: 'healthy', FailingStreak: 0 });
});

test('in the start period failures do not count until it has been healthy once', () => {
  const patient = check({ startPeriod: 5000, retries: 1 });
  expect(after([1, 1, 1], patient, 4999)).toMatchObject({ Status: 'starting', FailingStreak: 0 });
  expect(after([1], patient, 5000).Status).toBe('unhealthy');
  expect(after([0, 1], patient, 10).Status).toBe('unhealthy');
  expect(untilNextProbe(after([1], patient, 10), patient, 10)).toBe(100);
  expect(untilNextProbe(after([0], patient, 10), patient, 10)).toBe(1000);
  expect(untilNextProbe(after([], patient), patient, 5000)).toBe(1000);
});

test('the last five results are kept, also over a restart', () => {
  const state = [1, 2, 3, 4, 5, 6].reduce(
    (before, code) => afterProbe(before, said(code), check(), 0),
    beginning(undefined),
  );
  expect(state.Log.map(({ ExitCode }) => ExitCode)).toEqual([2, 3, 4, 5, 6]);
  expect(beginning(state)).toMatchObject({ Status: 'starting', FailingStreak: 0, Log: state.Log });
});

test('what means nothing is refused', () => {
  const refused = (health: object) => {
    try {
      checkHealthCheck(config(health));
      return 'taken';
    } catch (error) {
      return (error as Error).message;
    }
  };
  expect(refused({ Test: ['RUN', 'x'] })).toContain('Unknown type "RUN"');
  expect(refused({ Test: ['CMD'] })).toContain('Missing command');
  expect(refused({ Test: ['CMD-SHELL', 'a', 'b'] })).toContain('one command after CMD-SHELL');
  expect(refused({ Test: ['CMD', 'x'], Interval: 999_999 })).toBe('Interval in Healthcheck cannot be less than 1ms');
  expect(refused({ Test: ['CMD', 'x'], StartPeriod: -1 })).toBe('StartPeriod in Healthcheck cannot be less than 1ms');
  expect(refused({ Test: ['CMD', 'x'], Retries: -1 })).toBe('Retries in Healthcheck cannot be negative');
  expect(refused({ Test: [], Interval: 1e9 })).toBe('taken');
});
