/** Which variables an instruction sees. Dockerfile reference, "ARG", "Scope", "Predefined ARGs", "Using ARG variables". */

import { expand, variables } from '#build';
import type { Platform } from '../commit.ts';

/** Usable in RUN without an ARG, and no part of what the cache goes by. */
export const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [
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
  readonly #declared: [name: string, fallback: string | undefined][] = [];

  /** @param given --build-arg @param globals what stood before the first FROM, and the platform's */
  constructor(given: Record<string, string>, globals: Record<string, string>) {
    this.#given = given;
    this.#globals = globals;
  }

  /** @param fallback the default in the Dockerfile, its variables expanded */
  declare(name: string, fallback: string | undefined): void {
    this.#declared.push([name, fallback]);
  }

  /** For instructions: an ENV of the same name wins. */
  variables(env: string[]): Record<string, string> {
    return { ...Object.fromEntries(this.#proxies()), ...this.#visible(env) };
  }

  /** For RUN, as `NAME=value`, less what ENV says; `hidden` ones do not count for the cache. */
  forRun(env: string[]): { shown: string[]; hidden: string[] } {
    const names = new Set(env.map((entry) => entry.split('=', 1)[0]));
    const format = (entries: [string, string][]) =>
      entries.filter(([name]) => !names.has(name)).map(([name, value]) => `${name}=${value}`);
    return { shown: format(Object.entries(this.#visible([]))).sort(), hidden: format(this.#proxies()) };
  }

  #visible(env: string[]): Record<string, string> {
    return variables({ globals: this.#globals, given: this.#given, declared: this.#declared, env });
  }

  #proxies(): [name: string, value: string][] {
    const declared = new Set(this.#declared.map(([name]) => name));
    return Object.entries(this.#given).filter(([name]) => PROXIES.includes(name) && !declared.has(name));
  }
}

/**
 * The variables of a here-document replaced. Quotes in it are characters like others; `\` takes the meaning of what follows
 * away, whatever the file's escape directive says. Dockerfile reference, "Here-documents".
 */
export function expandText(text: string, values: Record<string, string>): string {
  const literal = text.replace(/\\[\s\S]|['"]/g, (part) => (part.length === 2 ? part : `\\${part}`));
  return expand(literal, values, '\\');
}
