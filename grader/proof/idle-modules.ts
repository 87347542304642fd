/** Modules that do nothing: they export what the solution exports, and none of it may earn a point. */

import fs from 'node:fs';

export interface IdleModule {
  name: string;
  source: string;
}

const bodies = {
  empty: '',
  throwing: "throw new Error('no');",
  identity: 'return args[0];',
  true: 'return true;',
  'empty-list': 'return [];',
} as const;

/** @param solution a module whose exported functions are copied by name. */
export function idleModules(solution: string): IdleModule[] {
  const text = fs.readFileSync(solution, 'utf8');
  const names = Array.from(text.matchAll(/^export (?:async )?(function\*?|class|const) (\w+)/gm), ([, kind, name]) => ({
    kind: kind!,
    name: name!,
  }));
  return Object.entries(bodies).map(([name, body]) => ({
    name,
    source: names
      .map(({ kind, name: exported }) =>
        kind === 'class'
          ? `export class ${exported} {}`
          : `export function ${exported}(...args: any[]): any { ${body} }`,
      )
      .join('\n'),
  }));
}
