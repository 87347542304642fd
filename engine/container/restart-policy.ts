/** What a restart policy says, as functions of what happened. Docker, "Start containers automatically". */

import type { HostConfig } from './config.ts';
import { ContainerError } from './errors.ts';

const POLICIES = ['no', 'always', 'on-failure', 'unless-stopped'];

export interface RestartPolicy {
  /** Empty and `no` both mean never. */
  Name: string;
  /** With `on-failure`: how often at most; 0 for as often as it fails. */
  MaximumRetryCount: number;
}

/** @throws ContainerError `invalid` in Docker's words */
export function checkRestartPolicy({
  RestartPolicy: policy,
  AutoRemove,
}: Pick<HostConfig, 'RestartPolicy' | 'AutoRemove'>) {
  const { Name, MaximumRetryCount: most } = policy;
  if (Name !== '' && !POLICIES.includes(Name))
    throw invalid(
      `unknown policy '${Name.slice(0, 60)}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    );
  if (most !== 0 && Name !== 'on-failure')
    throw invalid(`maximum retry count cannot be used with restart policy '${Name === '' ? 'no' : Name}'`);
  if (most < 0) throw invalid('maximum retry count cannot be negative');
  if (AutoRemove && isSet(policy))
    throw new ContainerError('invalid', "can't create 'AutoRemove' container with restart policy");
}

/** Whether a container with this policy ever starts by itself. */
export function isSet({ Name }: RestartPolicy): boolean {
  return Name !== '' && Name !== 'no';
}

export interface Ending {
  exitCode: number;
  /** How often it has been started again already. */
  restartCount: number;
  /** A client has stopped or killed it since its last start. */
  stoppedByHand: boolean;
}

/** Whether a container that has ended is started again. */
export function restartsAfter({ Name, MaximumRetryCount: most }: RestartPolicy, ending: Ending): boolean {
  switch (Name) {
    case 'always':
      return true;
    case 'unless-stopped':
      return !ending.stoppedByHand;
    case 'on-failure':
      return ending.exitCode !== 0 && (most === 0 || ending.restartCount < most);
    default:
      return false;
  }
}

/** Whether a container that had ended before the daemon did is started with the next one. */
export function startsWithDaemon({ Name }: RestartPolicy, stoppedByHand: boolean): boolean {
  return Name === 'always' || (Name === 'unless-stopped' && !stoppedByHand);
}

const FIRST = 100;
const LONGEST = 60_000;
/** Milliseconds after which a container has run well, whatever ended it. */
const STEADY = 10_000;

/**
 * Milliseconds to wait before the next start: twice as long each time, from 100 to a minute.
 * @param before what this answered the last time; 0 for the first time. @param ranFor milliseconds
 */
export function backOff(before: number, ranFor: number): number {
  if (before === 0 || ranFor >= STEADY) return FIRST;
  return Math.min(before * 2, LONGEST);
}

function invalid(why: string): ContainerError {
  return new ContainerError('invalid', `invalid restart policy: ${why}`);
}
