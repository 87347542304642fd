/**
 * Before a learner's module is loaded into the subject: what the module finds in its process is made fast, so that a
 * patched `JSON.stringify` or `fs.readFileSync` stays without effect on the driver, on other planks and on the
 * conversation with the judge. `node --frozen-intrinsics` does it for the language's own objects; this does it for
 * node's. Ordinary code does not notice: classes that extend them may override what they like.
 *
 * This keeps accidents and simple tricks apart. It is no boundary: with native calls and node's inspector a module can
 * reach everything in its own process. The verdict rests on what the judge sees from outside.
 */

import { createRequire } from 'node:module';

const MODULES = [
  ...[
    'assert',
    'async_hooks',
    'buffer',
    'child_process',
    'crypto',
    'events',
    'fs',
    'fs/promises',
    'module',
    'net',
    'os',
  ],
  ...['path', 'stream', 'stream/promises', 'string_decoder', 'timers', 'timers/promises', 'url', 'util', 'vm', 'zlib'],
];
const GLOBALS = ['Buffer', 'process', 'setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'queueMicrotask'];
const LANGUAGE_OBJECTS = ['Atomics', 'Intl', 'JSON', 'Math', 'Reflect'];

const fast = new WeakSet<object>();

/** @returns node's modules by their names without `node:`; those that are not among them are not made fast. */
export function makeBuiltinsFast(): Map<string, unknown> {
  const require = createRequire('/');
  const builtins = new Map<string, unknown>(MODULES.map((name) => [name, require(name)]));
  for (const builtin of builtins.values()) makeFastDeep(builtin);
  makeFast((builtins.get('module') as { _extensions: object })._extensions);
  for (const key of Object.getOwnPropertyNames(process)) fasten(process, key);
  for (const key of Object.getOwnPropertyNames(globalThis)) {
    const { value, configurable } = Object.getOwnPropertyDescriptor(globalThis, key)!;
    if (!configurable) continue;
    // Buffer and process are accessors, which anybody could set.
    if (GLOBALS.includes(key)) setForGood(key, (globalThis as Record<string, unknown>)[key]);
    else if (/^[A-Z]/.test(key) && (typeof value === 'function' || LANGUAGE_OBJECTS.includes(key)))
      setForGood(key, value);
  }
  return builtins;
}

function setForGood(key: string, value: unknown): void {
  Object.defineProperty(globalThis, key, { value, writable: false, configurable: false, enumerable: false });
}

/** The exports of a module, its classes and their prototypes. */
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
  if (fast.has(object) || Object.isFrozen(object)) return;
  fast.add(object);
  for (const key of Reflect.ownKeys(object)) fasten(object, key);
  Object.preventExtensions(object);
}

/**
 * A method becomes a pair of functions: what derives from the object can still be given a method of that name by plain
 * assignment, which a read-only property would refuse ("override mistake").
 */
function fasten(object: object, key: string | symbol): void {
  const { value, configurable, enumerable } = Object.getOwnPropertyDescriptor(object, key)!;
  if (!configurable || typeof value !== 'function') return;
  Object.defineProperty(object, key, {
    get: () => value,
    set(this: object, own: unknown) {
      if (this === object || fast.has(this))
        throw new TypeError(`${String(key)} belongs to node, and cannot be replaced while a module is checked.`);
      Object.defineProperty(this, key, { value: own, writable: true, configurable: true, enumerable: true });
    },
    configurable: false,
    enumerable,
  });
}
