/** The decisions of a build: the plank of lab `build`. Nothing here runs, reads or writes anything. */

import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import ignore from '@balena/dockerignore';
import type { Change, Command, Scope, Settings, SourceFile, StageOutline, Tree } from '#contract/build';

export { expand } from './expand.ts';

export function variables({ globals, given, declared, env }: Scope): Record<string, string> {
  const values = new Map<string, string>();
  for (const [name, fallback] of declared) {
    const value = own(given, name) ?? fallback ?? own(globals, name) ?? values.get(name);
    if (value !== undefined) values.set(name, value);
  }
  for (const entry of env) {
    const [name = ''] = entry.split('=', 1);
    values.set(name, entry.slice(name.length + 1));
  }
  return Object.fromEntries(values);
}

function own(record: Record<string, string>, name: string): string | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

export function stageOrder(stages: StageOutline[], target?: string): number[] {
  const last = target === undefined ? stages.length - 1 : indexOf(stages, stages.length, target, true);
  if (last === undefined)
    throw new Error(
      `target stage "${target}" could not be found; there are ${stages.map(({ name }, index) => name ?? index).join(', ')}`,
    );
  const order: number[] = [];
  const seen = new Set<number>();
  const visit = (index: number) => {
    if (seen.has(index)) return;
    seen.add(index);
    const { base, uses } = stages[index]!;
    for (const used of [indexOf(stages, index, base, false), ...uses.map((use) => indexOf(stages, index, use, true))])
      if (used !== undefined) visit(used);
    order.push(index);
  };
  visit(last);
  return order;
}

/** The stage before `before` that `reference` means; FROM knows stages by name only. */
export function indexOf(
  stages: StageOutline[],
  before: number,
  reference: string,
  numbers: boolean,
): number | undefined {
  const wanted = reference.toLowerCase();
  for (let index = before - 1; index >= 0; index--) if (stages[index]!.name?.toLowerCase() === wanted) return index;
  if (!numbers || !/^\d{1,4}$/.test(reference)) return undefined;
  return Number(reference) < before ? Number(reference) : undefined;
}

export function configure(settings: Settings, change: Change, ownCommand: boolean): Settings {
  switch (change.keyword) {
    case 'ENV':
      return { ...settings, Env: change.pairs.reduce(withVariable, settings.Env ?? []) };
    case 'LABEL':
      return { ...settings, Labels: { ...settings.Labels, ...Object.fromEntries(change.pairs) } };
    case 'WORKDIR':
      return { ...settings, WorkingDir: posix.resolve('/', settings.WorkingDir ?? '', change.value) };
    case 'USER':
      return { ...settings, User: change.value };
    case 'STOPSIGNAL':
      return { ...settings, StopSignal: change.value };
    case 'ONBUILD':
      return { ...settings, OnBuild: [...(settings.OnBuild ?? []), change.value] };
    case 'EXPOSE':
      return { ...settings, ExposedPorts: { ...settings.ExposedPorts, ...setOf(change.values.map(withProtocol)) } };
    case 'VOLUME':
      return { ...settings, Volumes: { ...settings.Volumes, ...setOf(change.values) } };
    case 'SHELL':
      return { ...settings, Shell: change.command.exec };
    case 'CMD':
      return { ...settings, Cmd: argumentsOf(settings, change.command) };
    case 'ENTRYPOINT': {
      const { Cmd, ...others } = settings;
      const Entrypoint = argumentsOf(settings, change.command);
      return { ...others, Entrypoint, ...(ownCommand && Cmd !== undefined && { Cmd }) };
    }
  }
}

const SHELL = ['/bin/sh', '-c'];

/** What a command is in the form that the kernel takes. */
export function argumentsOf({ Shell }: Settings, command: Command): string[] {
  return 'exec' in command ? command.exec : [...(Shell ?? SHELL), command.shell];
}

function withVariable(env: string[], [name, value]: [name: string, value: string]): string[] {
  const entry = `${name}=${value}`;
  const at = env.findIndex((each) => each.split('=', 1)[0] === name);
  return at === -1 ? [...env, entry] : env.with(at, entry);
}

function withProtocol(port: string): string {
  return port.includes('/') ? port.toLowerCase() : `${port}/tcp`;
}

function setOf(names: string[]): Record<string, Record<string, never>> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

export function cacheKey(parent: string, instruction: string, files: SourceFile[]): string {
  const content = [...files]
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, type, mode, digest, target }) => [path, type, mode, digest ?? target ?? '']);
  return `sha256:${createHash('sha256')
    .update(JSON.stringify([parent, instruction, content]))
    .digest('hex')}`;
}

export function ignoreFilter(rules: string): (path: string) => boolean {
  const matcher = ignore({ ignorecase: false }).add(rules.replace(/^\uFEFF/, ''));
  return (path) => matcher.ignores(path);
}

export function findSources(tree: Tree, pattern: string): { name: string; path: string }[] {
  let found = [{ name: '', path: '' }];
  for (const part of posix.resolve('/', pattern).split('/').filter(Boolean)) {
    const names = /[*?[]/.test(part) ? matcher(part) : undefined;
    found = found.flatMap(({ name, path }) => {
      if (tree.entry(path)?.type !== 'directory') return [];
      return (names ? tree.names(path).filter((each) => names.test(each)) : [unescaped(part)]).flatMap((each) => {
        const resolved = resolveInTree(tree, join(path, each));
        return resolved === undefined ? [] : [{ name: join(name, each), path: resolved }];
      });
    });
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** As many links as the kernel follows in one path. path_resolution(7). */
const LINKS_MAX = 40;

/**
 * The path without a link on it that `path` leads to, as if `tree` were `/`; undefined when nothing is there.
 * @throws Error for a loop of links
 */
export function resolveInTree(tree: Tree, path: string): string | undefined {
  const todo = path.split('/');
  let done: string[] = [];
  let links = 0;
  for (let part = todo.shift(); part !== undefined; part = todo.shift()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      done.pop();
      continue;
    }
    const here = [...done, part].join('/');
    const entry = tree.entry(here);
    if (!entry) return undefined;
    if (entry.type === 'symlink') {
      if (++links > LINKS_MAX) throw new Error(`"${path}" is behind a loop of symbolic links`);
      const target = entry.target ?? '';
      if (target.startsWith('/')) done = [];
      todo.unshift(...target.split('/'));
      continue;
    }
    if (entry.type !== 'directory' && todo.some((rest) => rest !== '' && rest !== '.')) return undefined;
    done.push(part);
  }
  return done.join('/');
}

function join(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

/** Go's filepath.Match: no character class but `[a-z]` and `[^a-z]`, and `\` makes the next one plain. */
function matcher(glob: string): RegExp {
  let source = '';
  for (let at = 0; at < glob.length; at++) {
    const character = glob[at]!;
    const end = character === '[' ? glob.indexOf(']', at + 2) : -1;
    if (character === '*') source += '[^/]*';
    else if (character === '?') source += '[^/]';
    else if (end !== -1) {
      const negated = glob[at + 1] === '^';
      const inside = glob.slice(at + (negated ? 2 : 1), end).replace(/[\\\]^[]/g, '\\$&');
      source += `[${negated ? '^' : ''}${inside}]`;
      at = end;
    } else
      source += (character === '\\' && at + 1 < glob.length ? glob[++at]! : character).replace(
        /[\\^$.|+(){}?*[\]]/,
        '\\$&',
      );
  }
  return new RegExp(`^${source}$`, 'su');
}

function unescaped(part: string): string {
  return part.replace(/\\(.)/gs, '$1');
}
