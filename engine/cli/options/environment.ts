import fs from 'node:fs';
import { CliError, errorText } from '../errors.ts';

/**
 * What `-e` and `--env-file` say, the files first. A name without `=` takes its value from our own environment; where
 * there is none, a file's line says nothing, and `-e NAME` takes the variable out of the image's.
 */
export function environment(files: string[], variables: string[], own: NodeJS.ProcessEnv): string[] {
  const valued = (line: string): string | undefined => {
    if (line.startsWith('=') || line === '') throw new CliError(`invalid environment variable: ${line || '""'}`, 125);
    if (line.includes('=')) return line;
    return own[line] === undefined ? undefined : `${line}=${own[line]}`;
  };
  const fromFiles = files.flatMap((file) => linesOf(file, 'environment')).map(valued);
  return [...fromFiles.filter((line) => line !== undefined), ...variables.map((line) => valued(line) ?? line)];
}

/** What `--label-file` and `--label` say. `--label NAME` makes an empty label; in a file such a line says nothing. */
export function labels(files: string[], given: string[]): Record<string, string> {
  const lines = [...files.flatMap((file) => linesOf(file, 'label')).filter((line) => line.includes('=')), ...given];
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf('=');
      return at === -1 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)];
    }),
  );
}

/** The lines of a file of `KEY=VALUE`s; empty ones and those that begin with `#` do not count. */
function linesOf(file: string, what: string): string[] {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw new CliError(`the ${what} file "${file}" cannot be read: ${errorText(error)}`, 125);
  }
  const lines = text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .map((line) => line.replace(/\r$/, '').trimStart())
    .filter((line) => line !== '' && !line.startsWith('#'));
  for (const line of lines) {
    const name = line.split('=', 1)[0] ?? '';
    if (name === '') throw new CliError(`${file}: no variable name on line '${line}'`, 125);
    if (/\s/.test(name)) throw new CliError(`${file}: the name '${name}' contains white space`, 125);
  }
  return lines;
}
