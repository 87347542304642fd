/** Instructions that change the configuration alone, read. Dockerfile reference. */

import type { Change, Command } from '#contract/build';
import { InvalidBuild } from './build-error.ts';
import type { Instruction } from './dockerfile.ts';
import { jsonWords, pairsOf, splitWords } from './words.ts';

type Expand = (word: string) => string;

/** Undefined for an instruction that does more than that. @throws InvalidBuild */
export function changeOf(instruction: Instruction, escapeToken: string, expand: Expand): Change | undefined {
  const { keyword, text } = instruction;
  switch (keyword) {
    case 'ENV':
    case 'LABEL':
      return {
        keyword,
        pairs: pairsOf(keyword, text, escapeToken).map(([name, value]) => [expand(name), expand(value)]),
      };
    case 'WORKDIR':
    case 'USER':
    case 'STOPSIGNAL': {
      const value = expand(one(instruction));
      if (value === '') throw new InvalidBuild(`${keyword} is blank once its variables are expanded; give them values`);
      return { keyword, value };
    }
    case 'EXPOSE':
      return { keyword, values: words(instruction, escapeToken).flatMap((word) => portsOf(expand(word))) };
    case 'VOLUME': {
      const values = (jsonWords(text) ?? words(instruction, escapeToken)).map(expand);
      if (values.some((value) => value.trim() === '') || values.length === 0)
        throw new InvalidBuild('VOLUME specified can not be an empty string');
      return { keyword, values };
    }
    case 'CMD':
    case 'ENTRYPOINT':
      return { keyword, command: commandOf(text) };
    case 'SHELL': {
      const exec = jsonWords(text);
      if (!exec || exec.length === 0)
        throw new InvalidBuild('SHELL requires the arguments to be in JSON form, e.g. SHELL ["/bin/sh", "-c"]');
      return { keyword, command: { exec } };
    }
    default:
      return undefined;
  }
}

export function commandOf(text: string): Command {
  const exec = jsonWords(text);
  if (exec) return { exec };
  return text.trim() === '' ? { exec: [] } : { shell: text };
}

/** Docker's image configuration; durations are nanoseconds, and 0 is inherited. */
export interface Healthcheck {
  Test: string[];
  Interval?: number;
  Timeout?: number;
  StartPeriod?: number;
  StartInterval?: number;
  Retries?: number;
}

const DURATIONS = {
  interval: 'Interval',
  timeout: 'Timeout',
  'start-period': 'StartPeriod',
  'start-interval': 'StartInterval',
} as const;

/** @throws InvalidBuild */
export function healthcheckOf({ text, flags }: Instruction): Healthcheck {
  const [, kind = '', rest = ''] = /^(\S*)\s*([\s\S]*)$/.exec(text) ?? [];
  if (kind.toUpperCase() === 'NONE') return { Test: ['NONE'] };
  if (kind.toUpperCase() !== 'CMD')
    throw new InvalidBuild(`Unknown type "${kind}" in HEALTHCHECK (try CMD), or write HEALTHCHECK NONE`);
  const command = commandOf(rest);
  const Test = 'exec' in command ? ['CMD', ...command.exec] : ['CMD-SHELL', command.shell];
  if (Test.length < 2) throw new InvalidBuild('Missing command after HEALTHCHECK CMD');
  const healthcheck: Healthcheck = { Test };
  for (const [name, value = ''] of flags) {
    const field = DURATIONS[name as keyof typeof DURATIONS];
    if (field) healthcheck[field] = nanoseconds(name, value);
    else if (name === 'retries' && /^[1-9]\d{0,5}$/.test(value)) healthcheck.Retries = Number(value);
    else
      throw new InvalidBuild(
        `HEALTHCHECK --${name}=${value} is not known; there are --interval, --timeout, --start-period, --start-interval and --retries`,
      );
  }
  return healthcheck;
}

const UNITS: Record<string, number> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** Go's durations, e.g. `1m30s`. */
function nanoseconds(name: string, text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  const total = parts.reduce((sum, [, number, unit]) => sum + Number(number) * UNITS[unit!]!, 0);
  if (parts.map(([part]) => part).join('') !== text || !(total === 0 || total >= 1e6) || total > 1e18)
    throw new InvalidBuild(
      `HEALTHCHECK --${name}=${text} is not a duration of a millisecond or more, such as 30s or 1m30s`,
    );
  return Math.round(total);
}

function words({ keyword, text }: Instruction, escapeToken: string): string[] {
  const found = splitWords(text, escapeToken);
  if (found.length === 0) throw new InvalidBuild(`${keyword} requires at least one argument`);
  return found;
}

function one({ keyword, text }: Instruction): string {
  if (text.trim() === '') throw new InvalidBuild(`${keyword} requires exactly one argument`);
  return text.trim();
}

const PORT = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i;
const PORTS_MAX = 65_535;

/** `8000-8002/udp` → three of them. A word may expand to several. */
function portsOf(expanded: string): string[] {
  return expanded
    .split(/\s+/)
    .filter(Boolean)
    .flatMap((word) => {
      const [, first = '', last = first, protocol] = PORT.exec(word) ?? [];
      const [from, to] = [Number(first), Number(last)];
      if (first === '' || to < from || to > PORTS_MAX || from === 0)
        throw new InvalidBuild(`invalid containerPort: ${word}; write 80, 80/udp or 8000-8010`);
      return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}${protocol ? `/${protocol}` : ''}`);
    });
}
