import { SkiffCommand } from '../command.ts';
import { containerPath } from '../containers.ts';
import type { Context } from '../context.ts';
import { ApiError, CliError, errorText } from '../errors.ts';
import { indentJson, parseJson } from '../format/json-text.ts';
import { complain, say } from '../output.ts';
import { withGoNils } from '../template/go-nils.ts';
import { compile, type Template } from '../template/template.ts';

interface InspectOptions {
  format?: string;
  json?: boolean;
  size?: boolean;
  type?: string;
}

const TYPES = ['container', 'image'];

export function inspectCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('inspect')
    .description('Return low-level information on containers and images')
    .operands('NAME|ID [NAME|ID...]', 1, Number.POSITIVE_INFINITY)
    .option('-f, --format <template>', "'json', or a Go template for each object")
    .option('--json', 'Print one JSON document (as without --format)')
    .option('-s, --size', 'Display total file sizes if the type is container')
    .option('--type <type>', `Only inspect objects of the given type: ${TYPES.join(', ')}`)
    .examples('skiff inspect web', "skiff inspect -f '{{.State.Status}}' web", 'skiff inspect --type image hostbox')
    .run(async (names, options: InspectOptions) => {
      if (options.type !== undefined && !TYPES.includes(options.type)) {
        throw new CliError(`unknown type: "${options.type}": must be one of "${TYPES.join('", "')}"`);
      }
      const template = compiled(options);
      const found: string[] = [];
      const errors: string[] = [];
      for (const name of names) {
        try {
          found.push(await lookUp(name, options));
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          errors.push(error.message);
        }
      }
      if (template === undefined) say(listOf(found, options.format === 'json'));
      else for (const text of found) say(rendered(template, text));
      for (const error of errors) complain(error);
      if (errors.length > 0) throw new CliError('');
    });

  async function lookUp(name: string, { type, size }: InspectOptions): Promise<string> {
    const image = `/images/${encodeURIComponent(name)}/json`;
    if (type === 'image') return client.text('GET', image);
    const query = { size };
    if (type === 'container') return client.text('GET', containerPath(name, '/json'), { query });
    try {
      return await client.text('GET', containerPath(name, '/json'), { query });
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    try {
      return await client.text('GET', image);
    } catch (error) {
      if (isMissing(error)) throw new NoSuchObject(name);
      throw error;
    }
  }
}

class NoSuchObject extends ApiError {
  constructor(name: string) {
    super(404, `No such object: ${name}`);
    this.message = `Error: No such object: ${name}`;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
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
