import { SkiffCommand } from '../command.ts';
import { containerPath } from '../containers.ts';
import type { Context } from '../context.ts';
import { ApiError, CliError } from '../errors.ts';
import { inspectEach } from '../inspect-each.ts';

interface InspectOptions {
  format?: string;
  json?: boolean;
  size?: boolean;
  type?: string;
}

const TYPES = ['container', 'image', 'network'];

export function inspectCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('inspect')
    .description('Return low-level information on containers, images and networks')
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
      await inspectEach(names, options, (name) => lookUp(name, options));
    });

  async function lookUp(name: string, { type, size }: InspectOptions): Promise<string> {
    const image = `/images/${encodeURIComponent(name)}/json`;
    const network = `/networks/${encodeURIComponent(name)}`;
    if (type === 'image') return client.text('GET', image);
    if (type === 'network') return client.text('GET', network);
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
      if (!isMissing(error)) throw error;
    }
    try {
      return await client.text('GET', network);
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
