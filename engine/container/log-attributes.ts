/** `--log-opt labels=… env=…`: what of a container `logs --details` puts before each line. Docker, "JSON File logging driver". */

import { RE2JS } from 're2js';
import { ContainerError } from './errors.ts';
import type { ContainerRecord } from './record.ts';

/** Names, separated by commas, or an expression that names fit. */
export const ATTRIBUTE_OPTIONS = ['labels', 'labels-regex', 'env', 'env-regex'];

type Described = { config: Pick<ContainerRecord['config'], 'Labels' | 'Env'>; options: Record<string, string> };

/** The labels and variables that were asked for, each as `name=value`, in the order of their names. */
export function logAttributes({ config, options }: Described): string[] {
  const variables = Object.fromEntries(
    config.Env.map((entry) => {
      const at = entry.indexOf('=');
      return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
  const chosen = {
    ...choose(config.Labels, options.labels, options['labels-regex']),
    ...choose(variables, options.env, options['env-regex']),
  };
  return Object.entries(chosen)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${escaped(name)}=${escaped(value)}`);
}

/** @throws ContainerError `invalid` for an expression that RE2 does not understand */
export function checkLogAttributes(options: Record<string, string>): void {
  for (const name of ['labels-regex', 'env-regex']) {
    const text = options[name];
    if (text === undefined) continue;
    try {
      RE2JS.compile(text);
    } catch (error) {
      throw new ContainerError(
        'invalid',
        `invalid log option ${name}=${text.slice(0, 60)}: ${(error as Error).message}`,
      );
    }
  }
}

function choose(all: Record<string, string>, names = '', expression?: string): Record<string, string> {
  const wanted = new Set(names.split(','));
  const fits = expression === undefined || expression === '' ? null : RE2JS.compile(expression);
  return Object.fromEntries(
    Object.entries(all).filter(([name]) => wanted.has(name) || fits?.matcher(name).find() === true),
  );
}

/** As Go's url.QueryEscape has it. */
function escaped(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1).replaceAll('*', '%2A').replaceAll('%7E', '~');
}
