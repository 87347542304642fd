import { ApiError, CliError, errorText } from './errors.ts';
import { indentJson, parseJson } from './format/json-text.ts';
import { complain, say } from './output.ts';
import { withGoNils } from './template/go-nils.ts';
import { compile, type Template } from './template/template.ts';

interface InspectOptions {
  format?: string;
  json?: boolean;
}

/**
 * Print what is known of each name: as one list, or by a template. What is not there is told on stderr; the command then
 * ends with 1.
 * @param lookUp the daemon's document, as text. @throws CliError
 */
export async function inspectEach(
  names: string[],
  options: InspectOptions,
  lookUp: (name: string) => Promise<string>,
): Promise<void> {
  const template = compiled(options);
  const found: string[] = [];
  const errors: string[] = [];
  for (const name of names) {
    try {
      found.push(await lookUp(name));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      errors.push(error.message);
    }
  }
  if (template === undefined) say(listOf(found, options.format === 'json'));
  else for (const text of found) say(rendered(template, text));
  for (const error of errors) complain(error);
  if (errors.length > 0) throw new CliError('');
}

function compiled({ format, json }: InspectOptions): Template | undefined {
  if (json || format === undefined || format === '' || format === 'json') return undefined;
  try {
    return compile(format);
  } catch (error) {
    throw new CliError(`template parsing error: ${errorText(error)}`, 64);
  }
}

function rendered(template: Template, text: string): string {
  try {
    return template.execute(withGoNils(parseJson(text)));
  } catch (error) {
    say('');
    throw new CliError(`template parsing error: ${errorText(error)}`);
  }
}

function listOf(texts: string[], compact: boolean): string {
  if (compact) return `[${texts.map((text) => text.trim()).join(',')}]`;
  if (texts.length === 0) return '[]';
  return `[\n${texts.map((text) => `    ${indentJson(text, '    ')}`).join(',\n')}\n]`;
}
