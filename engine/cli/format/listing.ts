import { CliError, errorText } from '../errors.ts';
import { complain, printable, write } from '../output.ts';
import { FUNCTIONS, HEADER_FUNCTIONS } from '../template/functions.ts';
import { compile } from '../template/template.ts';
import { type Fields, goJson } from '../template/values.ts';
import { layOut } from './table.ts';

export interface Listing {
  /** One for each line: what a template may ask for. */
  rows: Fields[];
  /** The headers of the columns, by field. */
  headers: Record<string, string>;
  /** What `--format` said: undefined, `table`, `json`, `raw`, `table TEMPLATE` or a template. */
  format: string | undefined;
  /** The template of the plain table. */
  table: string;
  /** The template of `raw`. */
  raw: string;
  /** Print ids alone, whatever `format` says. */
  quiet?: boolean;
}

/** Print a listing as docker's formatter does. @throws CliError when the template is wrong. */
export async function printListing({ rows, headers, table, raw, quiet, ...rest }: Listing): Promise<void> {
  const format = rest.format || 'table';
  if (quiet && !['table', 'raw', 'json'].includes(format)) {
    complain('WARNING: Ignoring custom format, because both --format and --quiet are set.');
  }
  const asked = quiet ? '{{.ID}}' : format === 'table' ? `table ${table}` : format === 'raw' ? raw : format;
  if (asked === 'json' || asked === '{{json .}}') {
    for (const row of rows) await write(`${goJson(row)}\n`);
    return;
  }
  const isTable = /^table\s/.test(asked);
  const source = (isTable ? asked.slice('table '.length) : asked).replaceAll('\\t', '\t').replaceAll('\\n', '\n');
  const template = guarded('parse', () => compile(source));
  if (!isTable) {
    for (const row of rows) await write(`${shown(guarded('execute', () => template.execute(row, FUNCTIONS)))}\n`);
    return;
  }
  const lines = rows.map((row) => shown(guarded('execute', () => template.execute(row, FUNCTIONS))));
  const header = guarded('execute', () => template.execute(headerRow(headers), HEADER_FUNCTIONS));
  await write(await layOut([header, ...lines].flatMap((line) => line.split('\n'))));
}

function shown(line: string): string {
  return process.stdout.isTTY ? printable(line) : line;
}

function headerRow(headers: Record<string, string>): Fields {
  const label = (name: string): string => (name.split('.').at(-1) ?? name).replace(/[-_]/g, ' ');
  return { ...headers, Label: label };
}

function guarded<T>(step: 'parse' | 'execute', action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new CliError(`failed to ${step} template: ${errorText(error)}`, 1, { cause: error });
  }
}
