/** `--log-driver` and `--log-opt`: who keeps a container's output, and how much of it. Docker, "JSON File logging driver". */

import type { LogBound } from '../runtime/shim/protocol.ts';
import type { HostConfig } from './config.ts';
import { ContainerError } from './errors.ts';
import { ATTRIBUTE_OPTIONS, checkLogAttributes } from './log-attributes.ts';

export type LogConfig = HostConfig['LogConfig'];

const DRIVERS = ['json-file', 'local', 'none'] as const;
type LogDriver = (typeof DRIVERS)[number];
export const LOG_DRIVERS: string[] = [...DRIVERS];
export const DEFAULT_LOG_DRIVER = 'json-file';
/** What a container keeps that asks for nothing else. */
export const DEFAULT_LOG_OPTIONS = { 'max-size': '20m', 'max-file': '5' };

const MOST_FILES = 1000;
const UNITS: Record<string, number> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };
const OPTIONS: Record<LogDriver, string[]> = {
  'json-file': [...Object.keys(DEFAULT_LOG_OPTIONS), ...ATTRIBUTE_OPTIONS],
  local: Object.keys(DEFAULT_LOG_OPTIONS),
  none: [],
};
/** Options that say what is done anyway. */
const AS_IT_IS: Record<string, string> = { mode: 'blocking', compress: 'false' };

/** With what was not asked for filled in. @throws ContainerError that names the driver or the option, and what there is */
export function completeLogConfig({ Type, Config }: LogConfig): LogConfig {
  const driver = Type === '' ? DEFAULT_LOG_DRIVER : Type;
  if (!LOG_DRIVERS.includes(driver))
    throw new ContainerError(
      'unsupported',
      `This engine does not have the log driver "${driver.slice(0, 60)}". It has ${listed(LOG_DRIVERS)}.`,
    );
  const options = OPTIONS[driver as LogDriver];
  const known = options.length === 0 ? [] : [...options, ...Object.keys(AS_IT_IS)];
  for (const [name, value] of Object.entries(Config)) {
    if (!known.includes(name))
      throw new ContainerError(
        'unsupported',
        `The log driver ${driver} does not have the option "${name.slice(0, 60)}" in this engine. It has ${options.length === 0 ? 'no options' : listed(options)}.`,
      );
    if (name in AS_IT_IS && value !== AS_IT_IS[name])
      throw new ContainerError(
        'unsupported',
        `This engine does not have the log option ${name}=${value.slice(0, 60)}. Leave it out, or set it to ${AS_IT_IS[name]}.`,
      );
  }
  if (driver === 'none') return { Type: driver, Config };
  const complete = { Type: driver, Config: { ...DEFAULT_LOG_OPTIONS, ...Config } };
  logBound(complete);
  checkLogAttributes(Config);
  return complete;
}

/** How much of a container's log is kept; undefined where it asked for all of it. @throws ContainerError `invalid` */
export function logBound({ Config }: LogConfig): LogBound | undefined {
  const { 'max-size': size, 'max-file': files } = { ...DEFAULT_LOG_OPTIONS, ...Config };
  if (!/^[0-9]{1,9}$/.test(files) || Number(files) < 1 || Number(files) > MOST_FILES)
    throw new ContainerError(
      'invalid',
      `invalid log option max-file=${files.slice(0, 60)}: it is a number of files, 1 to ${MOST_FILES}.`,
    );
  if (size === '-1') return undefined;
  const [, number = '', unit = ''] = /^(\d{1,12}(?:\.\d{1,9})?) ?([kmgt]?)b?$/i.exec(size) ?? [];
  const bytes = Math.floor(Number(number) * UNITS[unit.toLowerCase()]!);
  if (number === '' || bytes < 1 || bytes > Number.MAX_SAFE_INTEGER)
    throw new ContainerError(
      'invalid',
      `invalid log option max-size=${size.slice(0, 60)}: write a number of bytes, e.g. 512k, 10m or 1g, or -1 to keep everything.`,
    );
  return { size: bytes, files: Number(files) };
}

function listed(names: string[]): string {
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
