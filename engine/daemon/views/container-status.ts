import type { ContainerRecord } from '../../container/record.ts';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const WEEK = 7 * DAY;
const MONTH = 30 * DAY;
const YEAR = 365 * DAY;

/** `Up 3 hours`, `Exited (0) 2 days ago`: what `docker ps` shows. @param now milliseconds since 1970 */
export function describeStatus(record: ContainerRecord, now: number = Date.now()): string {
  const since = (time: string) => describeDuration((now - Date.parse(time)) / 1000);
  switch (record.status) {
    case 'created':
      return 'Created';
    case 'running':
      return `Up ${since(record.startedAt)}${inParentheses(record.health?.Status)}`;
    case 'paused':
      return `Up ${since(record.startedAt)} (Paused)`;
    case 'restarting':
      return `Restarting (${record.exitCode}) ${since(record.finishedAt)} ago`;
    case 'exited':
      return `Exited (${record.exitCode}) ${since(record.finishedAt)} ago`;
    case 'removing':
      return 'Removal In Progress';
    case 'dead':
      return 'Dead';
  }
}

function inParentheses(health: string | undefined): string {
  if (health === undefined) return '';
  return health === 'starting' ? ' (health: starting)' : ` (${health})`;
}

/** A number of seconds in words, as Docker has it. */
export function describeDuration(seconds: number): string {
  const whole = (unit: number) => Math.floor(seconds / unit);
  if (seconds < 1) return 'Less than a second';
  if (seconds < 2) return '1 second';
  if (seconds < MINUTE) return `${whole(1)} seconds`;
  if (seconds < 2 * MINUTE) return 'About a minute';
  if (seconds < HOUR) return `${whole(MINUTE)} minutes`;
  const hours = Math.floor(seconds / HOUR + 0.5);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (seconds < 2 * WEEK) return `${whole(DAY)} days`;
  if (seconds < 2 * MONTH) return `${whole(WEEK)} weeks`;
  if (seconds < 2 * YEAR) return `${whole(MONTH)} months`;
  return `${whole(YEAR)} years`;
}
