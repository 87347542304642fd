/** What a build decides: variables, settings, the order of stages, the files that are meant, and keys for the cache. */

import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import type { Change, Command, Scope, Settings, SourceFile, StageOutline, Tree } from '#contract/build';

// ---- task 1: variables ----

/** What a variable can be called; a number or a special character is a parameter of the shell. */
const NAME = /^(?:[A-Za-z_]\w*|\d+|[@*#?$!-])/;

export function expand(word: string, variables: Record<string, string>, escapeToken = '\\'): string {
  let at = 0;
  return untilEnd('');

  /** Read on to the character `end`, and over it. With `"` as the end, only some things mean something. */
  function untilEnd(end: string): string {
    let result = '';
    for (;;) {
      if (at >= word.length) {
        if (end === '') return result;
        throw new Error(`syntax error: missing ${end} in ${word}`);
      }
      const character = word[at++]!;
      if (character === end) return result;
      const quoted = end === '"';
      if (character === '$') result += variable();
      else if (character === "'" && !quoted) result += singleQuoted();
      else if (character === '"') result += untilEnd('"');
      else if (
        character === escapeToken &&
        at < word.length &&
        (!quoted || ['"', '$', escapeToken].includes(word[at]!))
      )
        result += word[at++];
      else result += character;
    }
  }

  function singleQuoted(): string {
    const end = word.indexOf("'", at);
    if (end === -1) throw new Error(`syntax error: a single quote without its end in ${word}`);
    const text = word.slice(at, end);
    at = end + 1;
    return text;
  }

  function variable(): string {
    if (word[at] !== '{') {
      const name = take(NAME);
      return name === '' ? '$' : (lookUp(name) ?? '');
    }
    at += 1;
    const name = take(NAME);
    const modifier = take(/^(}|:?[-+])/);
    if (name === '' || modifier === '') throw new Error(`bad substitution in ${word}`);
    const value = lookUp(name);
    if (modifier === '}') return value ?? '';
    const other = untilEnd('}');
    const isSet = modifier.startsWith(':') ? value !== undefined && value !== '' : value !== undefined;
    if (modifier.endsWith('+')) return isSet ? other : '';
    return isSet ? value! : other;
  }

  function take(pattern: RegExp): string {
    const [found = ''] = pattern.exec(word.slice(at)) ?? [];
    at += found.length;
    return found;
  }

  function lookUp(name: string): string | undefined {
    return Object.hasOwn(variables, name) ? variables[name] : undefined;
  }
}

export function variables({ globals, given, declared, env }: Scope): Record<string, string> {
  const values = new Map<string, string>();
  const own = (record: Record<string, string>, name: string) =>
    Object.hasOwn(record, name) ? record[name] : undefined;
  for (const [name, fallback] of declared) {
    const value = own(given, name) ?? fallback ?? own(globals, name);
    if (value !== undefined) values.set(name, value);
  }
  for (const entry of env) {
    const name = nameOf(entry);
    values.set(name, entry.slice(name.length + 1));
  }
  return Object.fromEntries(values);
}

/** Of an entry of the environment. */
function nameOf(entry: string): string {
  return entry.split('=', 1)[0]!;
}

// ---- task 2: settings ----

export function configure(settings: Settings, change: Change, ownCommand: boolean): Settings {
  switch (change.keyword) {
    case 'ENV': {
      const env = [...(settings.Env ?? [])];
      for (const [name, value] of change.pairs) {
        const at = env.findIndex((entry) => nameOf(entry) === name);
        env.splice(at === -1 ? env.length : at, 1, `${name}=${value}`);
      }
      return { ...settings, Env: env };
    }
    case 'LABEL':
      return { ...settings, Labels: { ...settings.Labels, ...Object.fromEntries(change.pairs) } };
    case 'WORKDIR':
      return { ...settings, WorkingDir: posix.resolve('/', settings.WorkingDir ?? '', change.value) };
    case 'USER':
      return { ...settings, User: change.value };
    case 'STOPSIGNAL':
      return { ...settings, StopSignal: change.value };
    case 'EXPOSE':
      return { ...settings, ExposedPorts: { ...settings.ExposedPorts, ...setOf(change.values.map(withProtocol)) } };
    case 'VOLUME':
      return { ...settings, Volumes: { ...settings.Volumes, ...setOf(change.values) } };
    case 'SHELL':
      return { ...settings, Shell: change.command.exec };
    case 'ONBUILD':
      return { ...settings, OnBuild: [...(settings.OnBuild ?? []), change.value] };
    case 'CMD':
      return { ...settings, Cmd: wordsOf(settings, change.command) };
    case 'ENTRYPOINT': {
      const { Cmd, ...rest } = settings;
      const kept = ownCommand && Cmd ? { Cmd } : {};
      return { ...rest, Entrypoint: wordsOf(settings, change.command), ...kept };
    }
  }
}

function wordsOf({ Shell = ['/bin/sh', '-c'] }: Settings, command: Command): string[] {
  return 'exec' in command ? command.exec : [...Shell, command.shell];
}

function withProtocol(port: string): string {
  return port.includes('/') ? port.toLowerCase() : `${port}/tcp`;
}

function setOf(names: string[]): Record<string, Record<string, never>> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

// ---- task 3: stages ----

export function stageOrder(stages: StageOutline[], target?: string): number[] {
  const last = target === undefined ? stages.length - 1 : find(target, stages.length, true);
  if (last === undefined) throw new Error(`target stage "${target}" could not be found`);
  const order: number[] = [];
  visit(last);
  return order;

  function visit(index: number): void {
    if (order.includes(index)) return;
    const { base, uses } = stages[index]!;
    const needs = [find(base, index, false), ...uses.map((use) => find(use, index, true))];
    for (const needed of needs) if (needed !== undefined) visit(needed);
    order.push(index);
  }

  /** The stage before `before` that `reference` means. */
  function find(reference: string, before: number, numbers: boolean): number | undefined {
    const byName = stages.slice(0, before).findLastIndex(({ name }) => name?.toLowerCase() === reference.toLowerCase());
    if (byName !== -1) return byName;
    return numbers && /^\d+$/.test(reference) && Number(reference) < before ? Number(reference) : undefined;
  }
}

// ---- task 4: files ----

const LINKS_MAX = 40;

export function findSources(tree: Tree, pattern: string): { name: string; path: string }[] {
  let found = [{ name: '', path: '' }];
  for (const part of posix.resolve('/', pattern).split('/').filter(Boolean)) {
    const next: typeof found = [];
    for (const { name, path } of found) {
      if (tree.entry(path)?.type !== 'directory') continue;
      const names = /[*?[]/.test(part) ? tree.names(path).filter((each) => isLike(part, each)) : [part];
      for (const each of names) {
        // From the root again, so that all links on the way count.
        const matched = posix.join(name, each);
        const resolved = resolve(tree, matched);
        if (resolved !== undefined) next.push({ name: matched, path: resolved });
      }
    }
    found = next;
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function isLike(pattern: string, name: string): boolean {
  return new RegExp(`^${sourceOf(pattern)}$`, 'su').test(name);
}

/** Where `path` leads when the tree is `/`; undefined when nothing is there. */
function resolve(tree: Tree, path: string): string | undefined {
  const todo = path.split('/');
  let done: string[] = [];
  for (let links = 0; todo.length > 0; ) {
    const part = todo.shift()!;
    if (part === '' || part === '.') continue;
    if (part === '..') {
      done.pop();
      continue;
    }
    const entry = tree.entry([...done, part].join('/'));
    if (entry === undefined) return undefined;
    if (entry.type !== 'symlink') {
      if (entry.type !== 'directory' && todo.some(Boolean)) return undefined;
      done.push(part);
      continue;
    }
    if (++links > LINKS_MAX) throw new Error(`${path} is behind a loop of links`);
    const target = entry.target ?? '';
    if (target.startsWith('/')) done = [];
    todo.unshift(...target.split('/'));
  }
  return done.join('/');
}

export function ignoreFilter(rules: string): (path: string) => boolean {
  const patterns = rules
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .map((line) => {
      const [, back, pattern = ''] = /^(!?)\s*(.*)$/.exec(line.trim())!;
      return { ignores: back === '', pattern: posix.normalize(pattern).replace(/^\/|\/$/g, '') };
    })
    .filter(({ pattern }) => !['', '.', '..'].includes(pattern) && !pattern.startsWith('../'))
    // What is named, and all that is in it.
    .map(({ ignores, pattern }) => ({ ignores, expression: new RegExp(`^${sourceOf(pattern)}(?:/|$)`, 'su') }));
  return (path) => patterns.findLast(({ expression }) => expression.test(path))?.ignores ?? false;
}

const SPECIAL = /(?<directories>(?<=^|\/)(?:\*\*\/)+)|(?<below>(?<=^|\/)\*\*$)|\*+|\?|\[\^?[^\]]+\]|[.+^${}()|[\]\\]/g;

/** A pattern as the source of a regular expression. */
function sourceOf(pattern: string): string {
  return pattern.replace(SPECIAL, (piece, directories?: string, below?: string) => {
    if (directories !== undefined) return '(?:.*/)?';
    if (below !== undefined) return '.+';
    if (piece.startsWith('*')) return '[^/]*';
    if (piece === '?') return '[^/]';
    if (piece.length === 1) return `\\${piece}`;
    const negated = piece.startsWith('[^');
    // "One of the others" would be a slash too.
    return `(?!/)[${negated ? '^' : ''}${piece.slice(negated ? 2 : 1, -1).replace(/[\\^[]/g, '\\$&')}]`;
  });
}

// ---- task 5: the cache ----

export function cacheKey(parent: string, instruction: string, files: SourceFile[]): string {
  const content = files
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, type, mode, digest, target }) => [path, type, mode, digest ?? target ?? '']);
  const text = JSON.stringify([parent, instruction, content]);
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}
