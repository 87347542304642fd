// passes: all
/** In classes, without a regular expression for patterns, and slower than it need be. */

import * as crypto from 'node:crypto';
import type { BuildPlank, Change, Scope, Settings, SourceFile, StageOutline, Tree } from '#contract/build';

const sha256 = (text: string) => crypto.createHash('sha256').update(text, 'utf8').digest('hex');
const isNameStart = (character: string) => /^[A-Za-z_]$/.test(character);
const isDigit = (character: string) => character >= '0' && character <= '9';

class Cannot extends Error {}

class Scanner {
  private at = 0;
  private readonly text: string;
  private readonly values: Map<string, string>;
  private readonly token: string;

  constructor(text: string, values: Map<string, string>, token: string) {
    [this.text, this.values, this.token] = [text, values, token];
  }

  get peek(): string {
    return this.text.charAt(this.at);
  }

  private next(): string {
    if (this.at >= this.text.length) throw new Cannot(`the end comes too early: ${this.text}`);
    return this.text.charAt(this.at++);
  }

  outside(end: string): string {
    let out = '';
    while (this.peek !== end) {
      const character = this.next();
      if (character === '$') out += this.dollar();
      else if (character === "'") {
        while (this.peek !== "'") out += this.next();
        this.next();
      } else if (character === '"') out += this.inDoubleQuotes();
      else if (character === this.token && this.peek !== '') out += this.next();
      else out += character;
    }
    if (end !== '') this.next();
    return out;
  }

  private inDoubleQuotes(): string {
    let out = '';
    for (let character = this.next(); character !== '"'; character = this.next()) {
      if (character === '$') out += this.dollar();
      else if (character === this.token && ['$', '"', this.token].includes(this.peek)) out += this.next();
      else out += character;
    }
    return out;
  }

  private name(): string {
    let name = '';
    if (isNameStart(this.peek)) while (isNameStart(this.peek) || isDigit(this.peek)) name += this.next();
    else if (isDigit(this.peek)) while (isDigit(this.peek)) name += this.next();
    else if (this.peek !== '' && '@*#?$!-'.includes(this.peek)) name = this.next();
    return name;
  }

  private dollar(): string {
    if (this.peek !== '{') {
      const name = this.name();
      return name ? (this.values.get(name) ?? '') : '$';
    }
    this.next();
    const name = this.name();
    if (!name) throw new Cannot(`a name is missing in ${this.text}`);
    const value = this.values.get(name);
    let character = this.next();
    if (character === '}') return value ?? '';
    const colon = character === ':';
    if (colon) character = this.next();
    if (character !== '-' && character !== '+') throw new Cannot(`what is ${character} in ${this.text}?`);
    const word = this.outside('}');
    const there = colon ? Boolean(value) : value !== undefined;
    if (character === '+') return there ? word : '';
    return there ? (value ?? '') : word;
  }
}

/** Whether `pattern` fits `text`, character by character; without `*` for a slash. */
function fits(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  const [first, rest] = [pattern.charAt(0), pattern.slice(1)];
  if (first === '*') {
    if (fits(rest, text)) return true;
    return text !== '' && fits(pattern, text.slice(1));
  }
  if (text === '') return false;
  if (first === '?') return fits(rest, text.slice(1));
  const end = first === '[' ? pattern.indexOf(']', pattern.charAt(1) === '^' ? 3 : 2) : -1;
  if (end !== -1) {
    const negated = pattern.charAt(1) === '^';
    const set = pattern.slice(negated ? 2 : 1, end);
    let among = false;
    for (let at = 0; at < set.length; at++) {
      const [low, dash, high] = [set.charAt(at), set.charAt(at + 1), set.charAt(at + 2)];
      if (dash === '-' && high !== '') {
        among ||= low <= text.charAt(0) && text.charAt(0) <= high;
        at += 2;
      } else among ||= low === text.charAt(0);
    }
    return among !== negated && fits(pattern.slice(end + 1), text.slice(1));
  }
  return first === text.charAt(0) && fits(rest, text.slice(1));
}

/** Parts against parts, where `**` is any number of them. */
function fitsParts([pattern, ...patterns]: string[], parts: string[]): boolean {
  if (pattern === undefined) return parts.length === 0;
  if (pattern !== '**') return parts.length > 0 && fits(pattern, parts[0]!) && fitsParts(patterns, parts.slice(1));
  if (patterns.length === 0) return parts.length > 0;
  return parts.some((_, index) => fitsParts(patterns, parts.slice(index)));
}

/** @returns undefined when it climbs out. */
function cleaned(pattern: string): string[] | undefined {
  const done: string[] = [];
  for (const part of pattern.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') done.push(part);
    else if (done.pop() === undefined && !pattern.startsWith('/')) return undefined;
  }
  return done;
}

function follow(tree: Tree, parts: string[], links: { count: number }, here: string[] = []): string[] | undefined {
  const [part, ...rest] = parts;
  if (part === undefined) return here;
  if (part === '' || part === '.') return follow(tree, rest, links, here);
  if (part === '..') return follow(tree, rest, links, here.slice(0, -1));
  const entry = tree.entry([...here, part].join('/'));
  if (!entry) return undefined;
  if (entry.type === 'symlink') {
    links.count += 1;
    if (links.count > 40) throw new Cannot('a loop of links');
    const target = entry.target ?? '';
    return follow(tree, [...target.split('/'), ...rest], links, target.startsWith('/') ? [] : here);
  }
  if (entry.type !== 'directory' && rest.some((each) => each !== '')) return undefined;
  return follow(tree, rest, links, [...here, part]);
}

class Plank implements BuildPlank {
  expand(word: string, values: Record<string, string>, escapeToken = '\\'): string {
    return new Scanner(word, new Map(Object.entries(values)), escapeToken).outside('');
  }

  variables(scope: Scope): Record<string, string> {
    const [globals, given] = [new Map(Object.entries(scope.globals)), new Map(Object.entries(scope.given))];
    const result = new Map<string, string>();
    for (const [name, fallback] of scope.declared)
      for (const value of [given.get(name), fallback, globals.get(name), result.get(name)])
        if (value !== undefined) {
          result.set(name, value);
          break;
        }
    for (const entry of scope.env) {
      const [name = '', ...value] = entry.split('=');
      result.set(name, value.join('='));
    }
    return Object.fromEntries([...result].reverse());
  }

  configure(settings: Settings, change: Change, ownCommand: boolean): Settings {
    const next = structuredClone(settings);
    if (change.keyword === 'ENV') {
      next.Env ??= [];
      for (const [name, value] of change.pairs) {
        const at = next.Env.findIndex((entry) => entry === name || entry.startsWith(`${name}=`));
        if (at < 0) next.Env.push(`${name}=${value}`);
        else next.Env[at] = `${name}=${value}`;
      }
    } else if (change.keyword === 'LABEL') {
      next.Labels = Object.fromEntries([...Object.entries(next.Labels ?? {}), ...change.pairs]);
    } else if (change.keyword === 'WORKDIR') {
      const from = change.value.startsWith('/') ? '' : (next.WorkingDir ?? '');
      next.WorkingDir = `/${cleaned(`/${from}/${change.value}`)!.join('/')}`;
    } else if (change.keyword === 'EXPOSE' || change.keyword === 'VOLUME') {
      const field = change.keyword === 'EXPOSE' ? 'ExposedPorts' : 'Volumes';
      next[field] ??= {};
      for (const value of change.values) {
        const [port, protocol = 'tcp'] = value.split('/');
        next[field][field === 'Volumes' ? value : `${port}/${protocol.toLowerCase()}`] = {};
      }
    } else if (change.keyword === 'ONBUILD') {
      next.OnBuild ??= [];
      next.OnBuild.push(change.value);
    } else if (change.keyword === 'USER') next.User = change.value;
    else if (change.keyword === 'STOPSIGNAL') next.StopSignal = change.value;
    else if (change.keyword === 'SHELL') next.Shell = change.command.exec;
    else if (change.keyword === 'CMD' || change.keyword === 'ENTRYPOINT') {
      const { command } = change;
      const words = 'exec' in command ? command.exec : (next.Shell ?? ['/bin/sh', '-c']).concat(command.shell);
      if (change.keyword === 'CMD') next.Cmd = words;
      else {
        next.Entrypoint = words;
        if (!ownCommand) delete next.Cmd;
      }
    }
    return next;
  }

  stageOrder(stages: StageOutline[], target?: string): number[] {
    const meaning = (before: number, reference: string, numbers: boolean): number => {
      for (let index = before - 1; index >= 0; index--)
        if ((stages[index]!.name ?? '').toLowerCase() === reference.toLowerCase() && stages[index]!.name) return index;
      return numbers && /^\d+$/.test(reference) && Number(reference) < before ? Number(reference) : -1;
    };
    const last = target === undefined ? stages.length - 1 : meaning(stages.length, target, true);
    if (last < 0) throw new Cannot('which stage?');
    const wanted = new Set([last]);
    for (let index = last; index >= 0; index--) {
      if (!wanted.has(index)) continue;
      const { base, uses } = stages[index]!;
      wanted.add(meaning(index, base, false));
      for (const use of uses) wanted.add(meaning(index, use, true));
    }
    wanted.delete(-1);
    return [...wanted].sort((a, b) => a - b);
  }

  findSources(tree: Tree, pattern: string): { name: string; path: string }[] {
    const found: { name: string; path: string }[] = [];
    const descend = (name: string[], [part, ...parts]: string[]): void => {
      const path = follow(tree, name, { count: 0 });
      if (path === undefined) return;
      if (part === undefined) {
        found.push({ name: name.join('/'), path: path.join('/') });
        return;
      }
      if (tree.entry(path.join('/'))?.type !== 'directory') return;
      if (!/[*?[]/.test(part)) descend([...name, part], parts);
      else for (const each of tree.names(path.join('/'))) if (fits(part, each)) descend([...name, each], parts);
    };
    descend([], cleaned(`/${pattern}`)!);
    return found.sort((a, b) => (a.name > b.name ? 1 : a.name < b.name ? -1 : 0));
  }

  ignoreFilter(rules: string): (path: string) => boolean {
    const all = rules
      .split('\n')
      .filter((line) => !line.startsWith('#') && line.trim() !== '')
      .map((line) => {
        const text = line.trim();
        const back = text.startsWith('!');
        return { back, parts: cleaned(back ? text.slice(1).trim() : text) ?? [] };
      });
    return (path) => {
      const parts = path.split('/');
      let ignored = false;
      for (const rule of all)
        if (rule.parts.length > 0 && parts.some((_, index) => fitsParts(rule.parts, parts.slice(0, index + 1))))
          ignored = !rule.back;
      return ignored;
    };
  }

  cacheKey(parent: string, instruction: string, files: SourceFile[]): string {
    const sorted = files.slice().sort((a, b) => Buffer.compare(utf16(a.path), utf16(b.path)));
    const lines = sorted.map(({ path, type, mode, digest, target }) => [path, type, mode, digest || target || '']);
    return `sha256:${sha256(`[${[parent, instruction, lines].map((part) => JSON.stringify(part)).join(',')}]`)}`;
  }
}

/** Big-endian, so that bytes compare as code units do. */
function utf16(text: string): Buffer {
  return Buffer.from(text, 'utf16le').swap16();
}

const plank = new Plank();
export const expand = plank.expand.bind(plank);
export const variables = plank.variables.bind(plank);
export const configure = plank.configure.bind(plank);
export const stageOrder = plank.stageOrder.bind(plank);
export const findSources = plank.findSources.bind(plank);
export const ignoreFilter = plank.ignoreFilter.bind(plank);
export const cacheKey = plank.cacheKey.bind(plank);
