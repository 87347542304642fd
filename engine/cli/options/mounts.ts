import path from 'node:path';
import { UsageError } from '../errors.ts';
import { parseBytes } from '../format/size.ts';

/** Docker Engine API, "Mount". */
export interface ApiMount {
  Type: string;
  Source?: string;
  Target?: string;
  ReadOnly?: boolean;
  Consistency?: string;
  BindOptions?: Record<string, unknown>;
  VolumeOptions?: Record<string, unknown>;
  TmpfsOptions?: Record<string, unknown>;
}

/** `-v`: `{bind}` for HOST:CONTAINER[:OPTIONS], `{volume}` for a path in the container alone. */
export function parseVolume(text: string): { bind: string } | { volume: string } {
  const [source = '', target, ...options] = text.split(':');
  if (text === '' || source === '') throw new UsageError(`invalid volume specification: "${text}"`);
  if (target === undefined) return { volume: source };
  const resolved = /^\.{1,2}(\/|$)/.test(source) ? path.resolve(source) : source;
  return { bind: [resolved, target, ...options].join(':') };
}

/** `--mount type=bind,source=…,target=…,readonly`. */
export function parseMount(text: string): ApiMount {
  const mount: ApiMount = { Type: 'volume' };
  for (const field of text.split(',')) {
    const at = field.indexOf('=');
    const key = (at === -1 ? field : field.slice(0, at)).trim().toLowerCase();
    const value = at === -1 ? undefined : field.slice(at + 1);
    const set = FIELDS[key];
    if (set === undefined) throw wrong(text, `unexpected key '${key}' in '${field}'`);
    if (value === undefined && !SWITCHES.has(key))
      throw wrong(text, `invalid field '${field}' must be a key=value pair`);
    set(mount, value ?? 'true', text);
  }
  if (mount.Target === undefined) throw wrong(text, 'target is required');
  if (mount.Type === 'bind' && mount.Source === undefined) throw wrong(text, 'source is required for a bind mount');
  return mount;
}

const SWITCHES = new Set(['readonly', 'ro', 'volume-nocopy', 'bind-nonrecursive']);

type Setter = (mount: ApiMount, value: string, whole: string) => void;

const source: Setter = (mount, value) => {
  mount.Source = /^\.{1,2}(\/|$)/.test(value) ? path.resolve(value) : value;
};
const target: Setter = (mount, value) => {
  mount.Target = value;
};
const readonly: Setter = (mount, value, whole) => {
  if (!['true', 'false', '1', '0'].includes(value)) throw wrong(whole, `invalid value for readonly: ${value}`);
  mount.ReadOnly = value === 'true' || value === '1';
};

const FIELDS: Record<string, Setter> = {
  type: (mount, value) => {
    mount.Type = value.toLowerCase();
  },
  source,
  src: source,
  target,
  dst: target,
  destination: target,
  readonly,
  ro: readonly,
  consistency: (mount, value) => {
    mount.Consistency = value;
  },
  'bind-propagation': (mount, value) => {
    mount.BindOptions = { ...mount.BindOptions, Propagation: value };
  },
  'bind-nonrecursive': (mount, value) => {
    mount.BindOptions = { ...mount.BindOptions, NonRecursive: value !== 'false' };
  },
  'volume-nocopy': (mount, value) => {
    mount.VolumeOptions = { ...mount.VolumeOptions, NoCopy: value !== 'false' };
  },
  'volume-subpath': (mount, value) => {
    mount.VolumeOptions = { ...mount.VolumeOptions, Subpath: value };
  },
  'tmpfs-size': (mount, value, whole) => {
    const bytes = parseBytes(value);
    if (bytes === undefined) throw wrong(whole, `invalid value for tmpfs-size: ${value}`);
    mount.TmpfsOptions = { ...mount.TmpfsOptions, SizeBytes: bytes };
  },
  'tmpfs-mode': (mount, value, whole) => {
    if (!/^0?[0-7]{1,4}$/.test(value)) throw wrong(whole, `invalid value for tmpfs-mode: ${value}`);
    mount.TmpfsOptions = { ...mount.TmpfsOptions, Mode: Number.parseInt(value, 8) };
  },
};

function wrong(text: string, reason: string): UsageError {
  return new UsageError(`invalid argument "${text}" for "--mount" flag: ${reason}`);
}
