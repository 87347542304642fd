import { hostCgroups } from '../../cgroups/host.ts';
import { argumentsOf, type OptionTable, type ParsedLine, parseLine, textOf } from '../command-line.ts';
import { type ConfigResources, parseAs, resources as shape } from '../config-document.ts';
import { RuntimeError } from '../error.ts';
import { parseDocument, readDocument, readStandardInput } from '../json.ts';
import { type ContainerRecord, readRecord, writeRecord } from '../record.ts';
import type { Command } from '../settings.ts';
import { resourcesOf } from '../spec-of.ts';
import { statusOf } from '../status.ts';

/** Option → where it stands in `linux.resources`, and how it is written. */
const limits: Record<string, { at: [group: string, field: string]; as: 'number' | 'bytes' | 'text' }> = {
  'blkio-weight': { at: ['blockIO', 'weight'], as: 'number' },
  'cpu-period': { at: ['cpu', 'period'], as: 'number' },
  'cpu-quota': { at: ['cpu', 'quota'], as: 'number' },
  'cpu-burst': { at: ['cpu', 'burst'], as: 'number' },
  'cpu-share': { at: ['cpu', 'shares'], as: 'number' },
  'cpu-rt-period': { at: ['cpu', 'realtimePeriod'], as: 'number' },
  'cpu-rt-runtime': { at: ['cpu', 'realtimeRuntime'], as: 'number' },
  'cpu-idle': { at: ['cpu', 'idle'], as: 'number' },
  'cpuset-cpus': { at: ['cpu', 'cpus'], as: 'text' },
  'cpuset-mems': { at: ['cpu', 'mems'], as: 'text' },
  memory: { at: ['memory', 'limit'], as: 'bytes' },
  'memory-reservation': { at: ['memory', 'reservation'], as: 'bytes' },
  'memory-swap': { at: ['memory', 'swap'], as: 'bytes' },
  'kernel-memory': { at: ['memory', 'kernel'], as: 'bytes' },
  'kernel-memory-tcp': { at: ['memory', 'kernelTCP'], as: 'bytes' },
  'pids-limit': { at: ['pids', 'limit'], as: 'number' },
};

const options: OptionTable = {
  resources: { value: true, short: 'r' },
  ...Object.fromEntries(Object.keys(limits).map((name) => [name, { value: true }])),
};

/** New limits for a container that runs, from options or from a document (`-r FILE`, `-r -`); the others stay. */
export const command: Command = (words, { root }) => {
  const line = parseLine(options, words);
  const [id] = argumentsOf(line, 'update', 1);
  const record = readRecord(root, id!);
  const asked = askedFor(line);
  const cgroup = hostCgroups().find(record.cgroupsPath);
  if (statusOf(root, record) === 'stopped' || cgroup === null) throw new RuntimeError('container not running');
  const { resources: present } = record.config.linux;
  cgroup.update(resourcesOf(withPartners(asked, present)));
  record.config.linux.resources = merged(present, asked);
  writeRecord(root, record as ContainerRecord);
  return 0;
};

function askedFor(line: ParsedLine): ConfigResources {
  const file = textOf(line, 'resources');
  const given = Object.keys(limits).filter((name) => line.values.has(name));
  if (file !== undefined) {
    if (given.length > 0)
      throw new RuntimeError(`update: --resources and --${given[0]} say the same; use one of them.`);
    const document = file === '-' ? parseDocument(readStandardInput(), 'standard input') : readDocument(file);
    return parseAs(shape, document, 'The resources');
  }
  const wanted: Record<string, Record<string, unknown>> = {};
  for (const name of given) {
    const {
      at: [group, field],
      as,
    } = limits[name]!;
    wanted[group] = { ...wanted[group], [field]: amountOf(name, textOf(line, name)!, as) };
  }
  return parseAs(shape, wanted, 'update');
}

const UNITS: Record<string, number> = { '': 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

function amountOf(name: string, text: string, as: 'number' | 'bytes' | 'text'): number | string {
  if (as === 'text') return text;
  const pattern = as === 'bytes' ? /^(-1|\d{1,19})(b|[kmgt]i?b?)?$/i : /^(-?\d{1,19})()$/;
  const [, digits, unit = ''] = pattern.exec(text) ?? [];
  if (digits === undefined) throw new RuntimeError(`invalid value ${JSON.stringify(text)} for flag --${name}`);
  return Number(digits) * UNITS[unit.slice(0, 1).toLowerCase()]!;
}

/** What the kernel's file holds together, or what bounds each other, is written together. */
const partners: [group: 'cpu' | 'memory', fields: string[]][] = [
  ['cpu', ['period', 'quota']],
  ['memory', ['limit', 'swap']],
];

function withPartners(asked: ConfigResources, present: ConfigResources = {}): ConfigResources {
  const result: Record<string, Record<string, unknown>> = structuredClone(asked) as never;
  for (const [group, fields] of partners) {
    const wanted = result[group];
    const before = present[group] as Record<string, unknown> | undefined;
    if (wanted === undefined || before === undefined || !fields.some((field) => wanted[field] !== undefined)) continue;
    for (const field of fields) if (before[field] !== undefined) wanted[field] ??= before[field];
  }
  // Without a limit on memory there is none on both.
  const memory = asked.memory;
  if (memory?.limit === -1 && memory.swap === undefined) result.memory!.swap = -1;
  return result as ConfigResources;
}

function merged(present: ConfigResources = {}, asked: ConfigResources): ConfigResources {
  const both = [...Object.entries(present), ...Object.entries(asked)];
  const result: Record<string, unknown> = {};
  for (const [name, value] of both)
    if (value !== undefined)
      result[name] = Array.isArray(value) ? value : { ...(result[name] as object), ...(value as object) };
  return result as ConfigResources;
}
