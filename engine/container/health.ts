/** Health checks as functions of what the probes said. Docker, "HEALTHCHECK"; Docker Engine API, HealthConfig and Health. */

import * as z from 'zod';
import type { ContainerConfig } from './config.ts';
import { ContainerError } from './errors.ts';

export interface HealthCheck {
  /** The program of a probe and its arguments. */
  args: string[];
  /** Milliseconds from the end of a probe to the next one. */
  interval: number;
  /** The same in the start period, until the first probe that succeeds. */
  startInterval: number;
  /** Milliseconds that a probe may take. */
  timeout: number;
  /** Milliseconds from the start in which failures do not count. */
  startPeriod: number;
  /** So many failures one after the other make a container unhealthy. */
  retries: number;
}

const ProbeResult = z.object({
  /** RFC 3339. */
  Start: z.string(),
  End: z.string(),
  /** −1 when it could not be run, or took too long. */
  ExitCode: z.int(),
  Output: z.string(),
});
export type ProbeResult = z.infer<typeof ProbeResult>;

export const HealthState = z.object({
  Status: z.enum(['starting', 'healthy', 'unhealthy']),
  FailingStreak: z.int(),
  /** The last five, the oldest first. */
  Log: z.array(ProbeResult),
});
export type HealthState = z.infer<typeof HealthState>;

const KEPT = 5;
const MILLISECOND = 1e6;
const DEFAULTS = { Interval: 30_000, Timeout: 30_000, StartPeriod: 0, StartInterval: 5_000 };
const RETRIES = 3;

/** What is to be probed, and how; null for a container without a health check. */
export function healthCheckOf({ Healthcheck: asked }: ContainerConfig): HealthCheck | null {
  const [kind = 'NONE', ...rest] = asked?.Test ?? [];
  if (!asked || kind === 'NONE') return null;
  const milliseconds = (field: keyof typeof DEFAULTS) =>
    asked[field] <= 0 ? DEFAULTS[field] : asked[field] / MILLISECOND;
  return {
    args: kind === 'CMD' ? rest : ['/bin/sh', '-c', ...rest],
    interval: milliseconds('Interval'),
    startInterval: milliseconds('StartInterval'),
    timeout: milliseconds('Timeout'),
    startPeriod: milliseconds('StartPeriod'),
    retries: asked.Retries <= 0 ? RETRIES : asked.Retries,
  };
}

/** @throws ContainerError `invalid` in Docker's words */
export function checkHealthCheck({ Healthcheck: asked }: ContainerConfig): void {
  if (!asked) return;
  const [kind, ...rest] = asked.Test;
  if (kind !== undefined && !['NONE', 'CMD', 'CMD-SHELL'].includes(kind))
    throw invalid(`Unknown type "${kind.slice(0, 60)}" in Healthcheck.Test (try CMD, CMD-SHELL or NONE)`);
  if (kind !== undefined && kind !== 'NONE' && (rest[0] ?? '') === '')
    throw invalid('Missing command after the first word of Healthcheck.Test');
  if (kind === 'CMD-SHELL' && rest.length !== 1)
    throw invalid('Healthcheck.Test takes one command after CMD-SHELL; write CMD for a list of words');
  for (const field of Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[])
    if (asked[field] !== 0 && asked[field] < MILLISECOND)
      throw invalid(`${field} in Healthcheck cannot be less than 1ms`);
  if (asked.Retries < 0) throw invalid('Retries in Healthcheck cannot be negative');
}

/** At the start of a container. What probes of earlier starts have said is kept. */
export function beginning(before: HealthState | undefined): HealthState {
  return { Status: 'starting', FailingStreak: 0, Log: before?.Log ?? [] };
}

/** What a probe changes. @param sinceStart milliseconds from the start of the container to that of the probe */
export function afterProbe(
  { Status, FailingStreak, Log }: HealthState,
  result: ProbeResult,
  { startPeriod, retries }: HealthCheck,
  sinceStart: number,
): HealthState {
  const kept = [...Log, result].slice(-KEPT);
  if (result.ExitCode === 0) return { Status: 'healthy', FailingStreak: 0, Log: kept };
  if (Status === 'starting' && sinceStart < startPeriod) return { Status, FailingStreak, Log: kept };
  const streak = FailingStreak + 1;
  return { Status: streak >= retries ? 'unhealthy' : Status, FailingStreak: streak, Log: kept };
}

/** Milliseconds until the next probe. @param sinceStart milliseconds since the start of the container */
export function untilNextProbe({ Status }: HealthState, check: HealthCheck, sinceStart: number): number {
  return Status === 'starting' && sinceStart < check.startPeriod ? check.startInterval : check.interval;
}

function invalid(message: string): ContainerError {
  return new ContainerError('invalid', message);
}
