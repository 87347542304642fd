/**
 * Before a learner's module is loaded into the subject: what the language and node give is made fast, so that a patched
 * `JSON.stringify` or `fs.readFileSync` stays without effect on the driver, on other planks and on the conversation with
 * the judge. Only functions that are there cannot be replaced; classes that extend them override what they like, and new
 * names may be added (`BigInt.prototype.toJSON`), which `node --frozen-intrinsics` would refuse to ordinary code.
 *
 * This keeps accidents and simple tricks apart. It is not a boundary: with native calls and node's inspector a module can
 * reach everything in its own process. The verdict rests on what the judge sees from outside.
 */

import { createRequire } from 'node:module';

/** What node has loaded by itself, or loads in no time. The others take longer than all else that a subject does. */
const MODULES = [
  ...['async_hooks', 'buffer', 'events', 'fs', 'module', 'net', 'os', 'path', 'stream', 'stream/promises'],
  ...['string_decoder', 'timers', 'timers/promises', 'url', 'util'],
];
const GLOBALS = ['Buffer', 'process', 'setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'queueMicrotask'];
const LANGUAGE_OBJECTS = ['Atomics', 'Intl', 'JSON', 'Math', 'Reflect'];

const fast = new WeakSet<object>();

/** Node's modules by their names without `node:`, those that were made fast. */
export type Builtins = Map<string, unknown>;

/** The globals, and the modules that are always there. */
export function makeBuiltinsFast(): Builtins {
  const builtins: Builtins = new Map();
  addBuiltins(builtins, MODULES);
  makeFast((builtins.get('module') as { _extensions: object })._extensions);
  // Inherited, and asked for by name whenever anything goes wrong.
  Object.defineProperty(process, 'emit', { value: process.emit, configurable: true, writable: true });
  makeFast(process);
  for (const hidden of withoutNames()) makeFast(hidden);
  for (const key of Object.getOwnPropertyNames(globalThis)) {
    const { value, configurable } = Object.getOwnPropertyDescriptor(globalThis, key)!;
    if (!configurable) continue;
    // Buffer and process are accessors, which anybody could set.
    if (GLOBALS.includes(key)) setForGood(key, (globalThis as Record<string, unknown>)[key]);
    else if (/^[A-Z]/.test(key) && (typeof value === 'function' || LANGUAGE_OBJECTS.includes(key))) {
      makeFastDeep(value);
      setForGood(key, value);
    }
  }
  // A method that is inherited is replaced by one of the same name in between.
  const { Socket } = builtins.get('net') as typeof import('node:net');
  Object.preventExtensions(Socket.prototype);
  // Every options object inherits from it.
  Object.preventExtensions(Object.prototype);
  return builtins;
}

/** Make more of node's modules fast. @param names with `node:` or without. */
export function addBuiltins(builtins: Builtins, names: string[]): void {
  const require = createRequire('/');
  for (const name of names.map((name) => name.replace(/^node:/, ''))) {
    if (builtins.has(name)) continue;
    const builtin: unknown = require(name);
    builtins.set(name, builtin);
    makeFastDeep(builtin);
  }
}

/** Objects of the language that no global leads to: what iterators, generators and typed arrays inherit from. */
function withoutNames(): object[] {
  const iterators = [[].values(), ''[Symbol.iterator](), new Map().keys(), new Set().keys(), ''.matchAll(/a/g)];
  const functions = [function* () {}, async () => {}, async function* () {}].map(Object.getPrototypeOf);
  const prototypes = [...iterators, new Uint8Array(0), Uint8Array, ...functions.map(({ prototype }) => prototype ?? {})]
    .map(Object.getPrototypeOf)
    .filter((each) => each !== null);
  return [...prototypes, ...prototypes.map(Object.getPrototypeOf), ...functions].filter((each) => each !== null);
}

function setForGood(key: string, value: unknown): void {
  Object.defineProperty(globalThis, key, { value, writable: false, configurable: false, enumerable: false });
}

/** The exports of a module or the members of a class, the classes among them, and their prototypes. */
function makeFastDeep(exported: unknown): void {
  if (exported === null || !['object', 'function'].includes(typeof exported)) return;
  const members = Object.values(Object.getOwnPropertyDescriptors(exported as object)).map(({ value }) => value);
  for (const member of [exported, ...members]) {
    if (typeof member !== 'function') continue;
    makeFast(member);
    if (typeof member.prototype === 'object' && member.prototype !== null) makeFast(member.prototype);
  }
  makeFast(exported as object);
}

function makeFast(object: object): void {
  if (fast.has(object)) return;
  fast.add(object);
  for (const key of Reflect.ownKeys(object)) fasten(object, key);
}

/**
 * A method becomes a pair of functions: what derives from the object can still be given a method of that name by plain
 * assignment, which a read-only property would refuse ("override mistake").
 */
function fasten(object: object, key: string | symbol): void {
  const { value, configurable, enumerable } = Object.getOwnPropertyDescriptor(object, key)!;
  // What node loads on demand replaces itself by what was loaded.
  if (!configurable || typeof value !== 'function') return;
  Object.defineProperty(object, key, {
    get: () => value,
    set(this: object, own: unknown) {
      if (fast.has(this))
        throw new TypeError(`${String(key)} cannot be replaced while a module is checked: the checks use it, too.`);
      Object.defineProperty(this, key, { value: own, writable: true, configurable: true, enumerable: true });
    },
    configurable: false,
    enumerable,
  });
}
