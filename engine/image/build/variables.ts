/** Which variables an instruction sees. Dockerfile reference, "ARG", "Scope", "Predefined ARGs", "Using ARG variables". */

import { expand } from '#build';
import type { Platform } from '../commit.ts';

/** Usable in RUN without an ARG, and no part of what the cache goes by. */
const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [
  name,
  name.toLowerCase(),
]);

/** What an ARG without a default gets from the engine. */
export function platformArguments(build: Platform, target: Platform): Record<string, string> {
  return Object.fromEntries(
    Object.entries({ BUILD: build, TARGET: target }).flatMap(([prefix, { os, architecture, variant }]) => [
      [`${prefix}PLATFORM`, [os, architecture, variant].filter(Boolean).join('/')],
      [`${prefix}OS`, os],
      [`${prefix}ARCH`, architecture],
      [`${prefix}VARIANT`, variant ?? ''],
    ]),
  );
}

/** The ARGs of one stage. */
export class Arguments {
  readonly #given: Record<string, string>;
  readonly #globals: Record<string, string>;
  readonly #declared = new Map<string, string>();

  /** @param given --build-arg @param globals what stood before the first FROM, and the platform's */
  constructor(given: Record<string, string>, globals: Record<string, string>) {
    this.#given = given;
    this.#globals = globals;
  }

  /** @param fallback the default in the Dockerfile, its variables expanded */
  declare(name: string, fallback: string | undefined): void {
    const value = own(this.#given, name) ?? fallback ?? own(this.#globals, name) ?? this.#declared.get(name);
    if (value !== undefined) this.#declared.set(name, value);
  }

  /** For instructions: an ENV of the same name wins. */
  variables(env: string[]): Record<string, string> {
    return { ...Object.fromEntries(this.#declared), ...environment(env) };
  }

  /** For RUN, as `NAME=value`, less what ENV says; `hidden` ones do not count for the cache. */
  forRun(env: string[]): { shown: string[]; hidden: string[] } {
    const names = environment(env);
    const format = (entries: [string, string][]) =>
      entries.filter(([name]) => !Object.hasOwn(names, name)).map(([name, value]) => `${name}=${value}`);
    const proxies = Object.entries(this.#given).filter(([name]) => PROXIES.includes(name) && !this.#declared.has(name));
    return { shown: format([...this.#declared]).sort(), hidden: format(proxies) };
  }
}

function own(record: Record<string, string>, name: string): string | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function environment(env: string[]): Record<string, string> {
  return Object.fromEntries(
    env.map((entry) => {
      const equals = entry.indexOf('=');
      return equals === -1 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
}

/** The variables of a text replaced, all else left as it is. */
export function expandText(text: string, variables: Record<string, string>, escapeToken: string): string {
  return text.replace(/\\[\s\S]|`[\s\S]|\$\{(?:[^{}]|\{[^{}]*\})*\}|\$\w+/g, (part) =>
    part.startsWith('$')
      ? expand(part, variables, escapeToken)
      : part.startsWith(escapeToken)
        ? part
        : part[0] + expandText(part.slice(1), variables, escapeToken),
  );
}
