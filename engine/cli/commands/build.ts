import fs from 'node:fs';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import * as z from 'zod/mini';
import { type BuildContext, directoryContext, textContext } from '../build/context.ts';
import { collect, parsed, SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError, errorText, UsageError } from '../errors.ts';
import { parseBytes } from '../format/size.ts';
import { documents } from '../ndjson.ts';
import { labels } from '../options/environment.ts';
import { write } from '../output.ts';
import { registryConfig } from '../registry/credentials.ts';
import { lineByLine } from '../registry/progress.ts';

interface BuildCommandOptions {
  addHost?: string[];
  buildArg?: string[];
  cache: boolean;
  cpuPeriod?: string;
  cpuQuota?: string;
  cpuShares?: string;
  cpus?: string;
  cpusetCpus?: string;
  file?: string;
  iidfile?: string;
  label?: string[];
  memory?: number;
  memorySwap?: number;
  network?: string;
  platform?: string;
  progress?: string;
  pull?: boolean;
  quiet?: boolean;
  secret?: string[];
  shmSize?: number;
  tag?: string[];
  target?: string;
}

const bytes = (flag: string) => parsed(flag, 'a size like 512m', parseBytes);

export function buildCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('build')
    .description('Build an image from a Dockerfile')
    .operands('PATH | -', 1)
    .option('--add-host <host:ip>', 'Add a custom host-to-IP mapping', collect)
    .option('--build-arg <name=value>', 'Set build-time variables', collect)
    .option('--cpu-period <microseconds>', 'Limit the CPU CFS period')
    .option('--cpu-quota <microseconds>', 'Limit the CPU CFS quota')
    .option('-c, --cpu-shares <number>', 'CPU shares (relative weight)')
    .option('--cpus <number>', 'Number of CPUs for each command')
    .option('--cpuset-cpus <list>', 'CPUs in which to allow execution (0-3, 0,1)')
    .option('-f, --file <file>', "Name of the Dockerfile (default is 'PATH/Dockerfile')")
    .option('--iidfile <file>', 'Write the image ID to the file')
    .option('--label <name=value>', 'Set metadata for an image', collect)
    .option('-m, --memory <bytes>', 'Memory limit for each command', bytes('--memory'))
    .option('--memory-swap <bytes>', 'Swap limit equal to memory plus swap', bytes('--memory-swap'))
    .option('--network <mode>', "Network of the RUN instructions: 'bridge', 'none' or 'host'")
    .option('--no-cache', 'Do not use cache when building the image')
    .option('--platform <os/arch>', 'Set platform if server is multi-platform capable')
    .option('--progress <kind>', "Type of progress output: 'plain'")
    .option('--pull', 'Always attempt to pull a newer version of the image')
    .option('-q, --quiet', 'Suppress the build output and print image ID on success')
    .option('--secret <id=name,src=file>', 'Secret file to expose to the build', collect)
    .option('--shm-size <bytes>', 'Size of "/dev/shm"', bytes('--shm-size'))
    .option('-t, --tag <name>', "Name and optionally a tag (format: 'name:tag')", collect)
    .option('--target <stage>', 'Set the target build stage to build')
    .examples(
      'skiff build -t app .',
      'skiff build --build-arg VERSION=2 --target test .',
      'skiff build -t app - < Dockerfile',
    )
    .run(async ([where = ''], options: BuildCommandOptions) => {
      if (options.progress !== undefined && !['plain', 'auto'].includes(options.progress))
        throw new UsageError(`invalid argument "${options.progress}" for "--progress" flag: skiff has plain`);
      const { content, dockerfile } = await contextOf(where, options.file);
      const answer = await client.stream('POST', '/build', {
        query: queryOf(options, dockerfile),
        content,
        headers: {
          'Content-Type': 'application/x-tar',
          ...secretsHeader(options.secret ?? []),
          ...(await registryConfig()),
        },
      });
      let id = '';
      const screen = lineByLine(process.stdout);
      for await (const { document } of documents(answer)) {
        const { stream, error, aux, errorDetail, status, id: layer } = BuildProgress.parse(document);
        if (error !== undefined) throw new CliError(error, errorDetail?.code ?? 1);
        if (aux?.ID !== undefined) id = aux.ID;
        if (status !== undefined) screen.show(layer, status, {});
        if (stream !== undefined) await write(stream);
        if (options.quiet && stream !== undefined) id = stream.trim();
      }
      if (id === '') throw new CliError('the daemon ended the build without an image and without saying why');
      if (options.iidfile !== undefined) fs.writeFileSync(options.iidfile, id);
    });
}

const BuildProgress = z.looseObject({
  id: z.optional(z.string()),
  status: z.optional(z.string()),
  stream: z.optional(z.string()),
  error: z.optional(z.string()),
  aux: z.optional(z.looseObject({ ID: z.optional(z.string()) })),
  errorDetail: z.optional(z.looseObject({ code: z.optional(z.number()) })),
});

async function contextOf(where: string, file: string | undefined): Promise<BuildContext> {
  if (where !== '-') return directoryContext(where, file);
  const input = await buffer(process.stdin);
  // A tar, or one that is compressed; anything else is a Dockerfile.
  const isArchive =
    input.toString('latin1', 257, 262) === 'ustar' ||
    [0x1f8b, 0x28b5].includes(input.length > 1 ? input.readUInt16BE(0) : 0);
  return isArchive ? { content: Readable.from([input]), dockerfile: file ?? 'Dockerfile' } : textContext(input);
}

const PERIOD = 100_000;

function queryOf(options: BuildCommandOptions, dockerfile: string) {
  const args = Object.fromEntries(
    (options.buildArg ?? []).map((text): [string, string | null] => {
      const at = text.indexOf('=');
      return at === -1 ? [text, process.env[text] ?? null] : [text.slice(0, at), text.slice(at + 1)];
    }),
  );
  const cpus = options.cpus === undefined ? undefined : Number(options.cpus);
  if (cpus !== undefined && !(cpus > 0))
    throw new UsageError(`invalid argument "${options.cpus}" for "--cpus" flag: it must be a number like 1.5`);
  return {
    dockerfile,
    t: options.tag,
    buildargs: JSON.stringify(args),
    labels: JSON.stringify(labels([], options.label ?? [])),
    nocache: options.cache ? undefined : true,
    pull: options.pull,
    q: options.quiet,
    target: options.target,
    platform: options.platform,
    networkmode: options.network,
    memory: options.memory,
    memswap: options.memorySwap,
    cpushares: options.cpuShares,
    cpuperiod: cpus === undefined ? options.cpuPeriod : PERIOD,
    cpuquota: cpus === undefined ? options.cpuQuota : Math.round(cpus * PERIOD),
    cpusetcpus: options.cpusetCpus,
    shmsize: options.shmSize,
    extrahosts: options.addHost?.join(','),
  };
}

/** `id=x,src=file`, or `id=x,env=NAME`, or `id=x` for the variable of that name. */
function secretsHeader(given: string[]): Record<string, string> {
  if (given.length === 0) return {};
  const secrets = given.map((text) => {
    const fields = new Map(text.split(',').map((part) => part.split('=', 2) as [string, string]));
    const id = fields.get('id') ?? '';
    const file = fields.get('src') ?? fields.get('source');
    const name = fields.get('env') ?? id;
    if (id === '') throw new UsageError(`invalid argument "${text}" for "--secret" flag: it must be id=NAME,src=FILE`);
    try {
      const content = file === undefined ? process.env[name] : fs.readFileSync(file);
      if (content === undefined) throw new Error(`there is neither src=FILE nor a variable ${name}`);
      return [id, Buffer.from(content).toString('base64')];
    } catch (error) {
      throw new CliError(`the secret ${id} cannot be read: ${errorText(error)}`);
    }
  });
  return { 'X-Skiff-Build-Secrets': Buffer.from(JSON.stringify(Object.fromEntries(secrets))).toString('base64') };
}
