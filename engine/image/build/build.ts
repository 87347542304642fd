/** The decisions of a build: the plank of lab `build`. Nothing here runs, reads or writes anything. */

import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import type { Change, Command, Scope, Settings, SourceFile, StageOutline, Tree } from '#contract/build';
import { newGlob } from '../glob.ts';
import { newIgnoreFilter } from './ignore.ts';
import { resolvePath } from './resolve.ts';

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
      `target stage "${target}" could not be found; the stages are ${stages.map(({ name }, index) => (name === undefined ? index : `"${name}"`)).join(', ')}. Name one with FROM … AS ${target}, or choose another`,
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
      return { ...settings, Env: withVariables(settings.Env ?? [], change.pairs) };
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

function withVariables(before: string[], pairs: [name: string, value: string][]): string[] {
  const env = [...before];
  const places = new Map<string, number>();
  // Of two entries with one name the first is the one that a program finds.
  for (const [at, entry] of [...env.entries()].reverse()) places.set(entry.split('=', 1)[0]!, at);
  for (const [name, value] of pairs) {
    const at = places.get(name) ?? env.length;
    env[at] = `${name}=${value}`;
    places.set(name, at);
  }
  return env;
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
  return newIgnoreFilter(rules);
}

const MATCHES_MAX = 10_000;
/** Two links to `.` in one directory are 2^n names for `n` stars, and each is followed from the root. */
const LINKS_FOLLOWED_MAX = 5_000;

export function findSources(tree: Tree, pattern: string): { name: string; path: string }[] {
  let found = [{ name: '', path: '' }];
  let followed = 0;
  const tooMany = (most: number, what: string) =>
    new Error(`"${pattern.slice(0, 100)}" names more than ${most} ${what}; name their directory instead`);
  for (const part of posix.resolve('/', pattern).split('/').filter(Boolean)) {
    const glob = /[*?[]/.test(part) ? newGlob(part) : undefined;
    const matches: typeof found = [];
    for (const { name, path } of found) {
      if (tree.entry(path)?.type !== 'directory') continue;
      for (const each of glob ? tree.names(path).filter((one) => glob.matches(one)) : [unescaped(part)]) {
        const matched = join(name, each);
        const child = join(path, each);
        const type = each === '..' || each === '.' ? undefined : tree.entry(child)?.type;
        if (type !== undefined && type !== 'symlink') {
          matches.push({ name: matched, path: child });
          continue;
        }
        if (++followed > LINKS_FOLLOWED_MAX) throw tooMany(LINKS_FOLLOWED_MAX, 'links');
        // From the root again: links count on the whole way to a match.
        const resolved = resolvePath(tree, matched, { missing: 'give-up' });
        if (resolved !== undefined) matches.push({ name: matched, path: resolved });
      }
      if (matches.length > MATCHES_MAX) throw tooMany(MATCHES_MAX, 'files');
    }
    found = matches;
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * The path without a link on it that `path` leads to, as if `tree` were `/`; undefined when nothing is there.
 * @throws Error for a loop of links
 */
export function resolveInTree(tree: Tree, path: string): string | undefined {
  return resolvePath(tree, path, { missing: 'give-up' });
}

function join(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

function unescaped(part: string): string {
  return part.replace(/\\(.)/gs, '$1');
}
