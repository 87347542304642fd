/** How it is found out whether a container works, as options. Durations go to the API as nanoseconds. */

import { parsed } from '../command.ts';
import { CliError } from '../errors.ts';
import { parseDuration } from '../format/duration.ts';
import { type ContainerOption, flag, flagName, number, one, plain } from './container-option.ts';
import type { CreateBody } from './create-body.ts';

function set(body: CreateBody, field: string, value: unknown): void {
  body.Healthcheck = { ...body.Healthcheck, [field]: value };
}

function duration(flags: string, text: string, field: string): ContainerOption {
  const read = parsed(flagName(flags), 'a duration like 30s or 1m30s', (given) => {
    const seconds = parseDuration(given);
    return seconds === undefined ? undefined : Math.round(seconds * 1e9);
  });
  return one(flags, text, read, (body, value) => set(body, field, value));
}

export const HEALTH: ContainerOption[] = [
  one('--health-cmd <command>', 'Command to run to check health', plain, (body, value) => {
    set(body, 'Test', ['CMD-SHELL', value]);
  }),
  duration('--health-interval <duration>', 'Time between running the check (ms|s|m|h)', 'Interval'),
  one(
    '--health-retries <number>',
    'Consecutive failures needed to report unhealthy',
    number('--health-retries'),
    (body, value) => {
      if (value < 0) throw new CliError('--health-retries cannot be negative', 125);
      set(body, 'Retries', value);
    },
  ),
  duration(
    '--health-start-interval <duration>',
    'Time between running the check during the start period (ms|s|m|h)',
    'StartInterval',
  ),
  duration(
    '--health-start-period <duration>',
    'Start period for the container to initialize before starting health-retries countdown (ms|s|m|h)',
    'StartPeriod',
  ),
  duration('--health-timeout <duration>', 'Maximum time to allow one check to run (ms|s|m|h)', 'Timeout'),
  flag('--no-healthcheck', 'Disable any container-specified HEALTHCHECK', (body) => {
    if (body.Healthcheck !== undefined) throw new CliError('--no-healthcheck conflicts with --health-* options', 125);
    body.Healthcheck = { Test: ['NONE'] };
  }),
];
