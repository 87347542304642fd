/** RUN, read. Dockerfile reference, "RUN". */

import { posix } from 'node:path';
import type { Settings } from '#contract/build';
import { argumentsOf } from './build.ts';
import { InvalidBuild } from './build-error.ts';
import { commandOf } from './config-step.ts';
import type { Instruction } from './dockerfile.ts';
import type { Network } from './options.ts';
import { splitWords } from './words.ts';

export interface Mount {
  type: 'bind' | 'cache' | 'tmpfs' | 'secret';
  /** Absolute. */
  target: string;
  /** Of a bind, and of what a new cache begins with: a stage or an image; undefined for the context, and for nothing. */
  from: string | undefined;
  /** A path in it. */
  source: string;
  readonly: boolean;
  /** Of a cache or a secret. */
  id: string;
  required: boolean;
  /** Bytes of a tmpfs. */
  size: number | undefined;
  mode: number | undefined;
  uid: number;
  gid: number;
}

export interface RunStep {
  args: string[];
  /** A script that `args` names; undefined for most. */
  script: { path: string; content: string } | undefined;
  mounts: Mount[];
  network: Network | undefined;
}

/** Where a here-document with a `#!` line is put for its command. */
const SCRIPTS = '/dev/pipes';

/** @throws InvalidBuild */
export function runOf(
  { text, flags, heredocs }: Instruction,
  settings: Settings,
  expand: (word: string) => string,
): RunStep {
  const step: RunStep = { args: [], script: undefined, mounts: [], network: undefined };
  for (const [name, value = ''] of flags) {
    if (name === 'mount') step.mounts.push(mountOf(value, settings.WorkingDir ?? '/', expand));
    else if (name === 'network') step.network = networkOf(value);
    else if (name === 'security' && value === 'sandbox') continue;
    else
      throw new InvalidBuild(`RUN --${name}=${value} is not supported; there are --mount and --network. Leave it out.`);
  }
  const [only] = heredocs;
  if (only && splitWords(text, '\\').length === 1) {
    if (only.content.startsWith('#!')) {
      step.script = { path: `${SCRIPTS}/${only.name.replace(/[^\w.-]/g, '_')}`, content: only.content };
      step.args = [step.script.path];
    } else step.args = argumentsOf(settings, { shell: only.content });
    return step;
  }
  if (text.trim() === '') throw new InvalidBuild('RUN requires a command');
  const documents = heredocs.map(({ name, content }) => `\n${content}${name}`).join('');
  const command = documents === '' ? commandOf(text) : { shell: `${text}${documents}\n` };
  step.args = argumentsOf(settings, command);
  if (step.args.length === 0) throw new InvalidBuild('RUN requires a command');
  return step;
}

function networkOf(value: string): Network {
  if (value === 'default' || value === 'none' || value === 'host') return value;
  throw new InvalidBuild(`RUN --network=${value} is not known; there are default, none and host`);
}

const TYPES = ['bind', 'cache', 'tmpfs', 'secret'] as const;

function mountOf(text: string, workingDirectory: string, expand: (word: string) => string): Mount {
  const options = new Map<string, string>();
  for (const part of text.split(',')) {
    const equals = part.indexOf('=');
    const [key, value] = equals === -1 ? [part, 'true'] : [part.slice(0, equals), part.slice(equals + 1)];
    options.set(key.toLowerCase(), expand(value));
  }
  const take = (...names: string[]) => {
    const found = names.find((name) => options.has(name));
    const value = found === undefined ? undefined : options.get(found);
    for (const name of names) options.delete(name);
    return value;
  };
  const type = (take('type') ?? 'bind') as Mount['type'];
  if (!TYPES.includes(type))
    throw new InvalidBuild(`RUN --mount=type=${type} is not supported; there are ${TYPES.join(', ')}`);
  const id = take('id') ?? '';
  const source = take('source', 'src') ?? '';
  const given = take('target', 'dst', 'destination');
  const target = given ?? (type === 'secret' ? `/run/secrets/${id}` : '');
  if (target === '') throw new InvalidBuild(`RUN --mount=type=${type} needs a target: write target=/path`);
  const readonly = flag(take('readonly', 'ro')) ?? !(flag(take('rw', 'readwrite')) ?? type !== 'bind');
  take('sharing');
  take('rw', 'readwrite');
  const mount: Mount = {
    type,
    target: posix.resolve('/', workingDirectory, target),
    from: take('from'),
    source,
    readonly,
    id: id === '' ? (type === 'secret' ? posix.basename(target) : target) : id,
    required: flag(take('required')) ?? false,
    size: number(take('size'), 10),
    mode: number(take('mode'), 8),
    uid: number(take('uid'), 10) ?? 0,
    gid: number(take('gid'), 10) ?? 0,
  };
  const [unknown] = options.keys();
  if (unknown !== undefined) throw new InvalidBuild(`RUN --mount: unexpected key '${unknown}' in '${text}'`);
  if (mount.target === '/')
    throw new InvalidBuild(`RUN --mount: target=/ would hide the whole image; choose a directory in it`);
  if (type !== 'bind' && type !== 'cache' && mount.from !== undefined)
    throw new InvalidBuild(`RUN --mount=type=${type} does not support from=; remove it`);
  return mount;
}

function flag(value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined;
  if (value === 'true' || value === '1' || value === '') return true;
  if (value === 'false' || value === '0') return false;
  throw new InvalidBuild(`RUN --mount: "${value}" is neither true nor false`);
}

function number(value: string | undefined, base: 8 | 10): number | undefined {
  if (value === undefined) return undefined;
  if (!(base === 8 ? /^[0-7]{1,5}$/ : /^\d{1,15}$/).test(value))
    throw new InvalidBuild(`RUN --mount: "${value}" is not a number here`);
  return Number.parseInt(value, base);
}
