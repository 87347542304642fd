/** How the subject loads the learner's module and the lab's driver: each for itself, with requires of its own. */

import fs from 'node:fs';
import { createRequire, isBuiltin, Module } from 'node:module';
import path from 'node:path';
import { addBuiltins, type Builtins } from './guard.ts';

export type Exports = Record<string, unknown>;

interface CommonJs {
  filename: string;
  paths: string[];
  exports: Exports;
  require(id: string): unknown;
  _compile(text: string, file: string): void;
}

/**
 * @param directory holds plank.cjs, driver.cjs and shared.cjs.
 * @param builtins node's modules as they were before the learner's module came; what ours need is added.
 * @throws what the learner's module throws.
 */
export function loadModule(directory: string, builtins: Builtins): { plank: Exports; driver: Exports } {
  for (const name of ['shared', 'driver']) addBuiltins(builtins, builtinsOf(path.join(directory, `${name}.cjs`)));
  const outside = createRequire(path.join(directory, 'module.cjs'));
  const ours = (id: string) => builtins.get(id.replace(/^node:/, '')) ?? outside(id);
  const shared = load(path.join(directory, 'shared.cjs'), ours);
  const sharedNames = new Set(Object.keys(shared));
  const sharedOr = (id: string, other: (id: string) => unknown) => (sharedNames.has(id) ? shared[id] : other(id));
  const plank = load(path.join(directory, 'plank.cjs'), (id) =>
    sharedOr(id, () => {
      if (!isBuiltin(id))
        throw new Error(`The import of "${id}" is refused: a lab may import node:*, #kernel/*, #contract/* and #spec.`);
      return outside(id);
    }),
  );
  const driver = load(path.join(directory, 'driver.cjs'), (id) => (id === 'skiff:plank' ? plank : sharedOr(id, ours)));
  return { plank, driver };
}

/** The modules of node that one of our own bundles asks for. */
function builtinsOf(bundle: string): string[] {
  const asked = fs.readFileSync(bundle, 'utf8').matchAll(/\brequire\("([\w:/]+)"\)/g);
  return [...asked].map((match) => match[1]!).filter((id) => isBuiltin(id));
}

/** A module that is in no cache and has no parent. Node's own loader compiles it, so that source maps apply. */
function load(file: string, require: (id: string) => unknown): Exports {
  const module = new Module(file) as unknown as CommonJs;
  module.filename = file;
  module.paths = [];
  module.require = require;
  module._compile(fs.readFileSync(file, 'utf8'), file);
  return module.exports;
}
