import { ApiClient } from './api-client.ts';
import { apiVersion, clientVersion } from './client-version.ts';
import { SkiffCommand } from './command.ts';
import { COMMANDS, type CommandEntry, GROUPS } from './commands.ts';
import type { Context } from './context.ts';
import { UsageError } from './errors.ts';
import { type LocationOptions, resolveLocation } from './location.ts';
import { nearest } from './nearest.ts';
import { say } from './output.ts';

interface GlobalOptions extends LocationOptions {
  debug?: boolean;
  version?: boolean;
  mine?: string;
}

/** Run one command line (without `node` and the script); resolves to its exit code. */
export async function runProgram(args: string[]): Promise<number> {
  let exitCode = 0;
  const program = globalCommand();
  program.action(async (words: string[], options: GlobalOptions) => {
    exitCode = await dispatch(program, args, words, options);
  });
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    throw withUsage(error, "Usage:  skiff [OPTIONS] COMMAND\n\nRun 'skiff --help' for more information");
  }
  return exitCode;
}

function globalCommand(): SkiffCommand {
  return new SkiffCommand('skiff')
    .operands('COMMAND', 0, Number.POSITIVE_INFINITY)
    .description('A small container engine')
    .option('--root <dir>', 'Keep everything of this engine under a directory (SKIFF_ROOT)')
    .option('-H, --host <address>', 'Talk to the daemon at unix://PATH (SKIFF_HOST)')
    .option('--socket <path>', 'The same as --host, without unix://')
    .option('--mine [planks]', 'Use the engine with my own planks: all that pass, or --mine=process,rootfs')
    .option('--debug', 'Say where an error came from')
    .option('-v, --version', 'Print the version and quit')
    .addHelpText('after', commandHelp())
    .examples('skiff run --rm hostbox echo hi', 'skiff run -it --rm hostbox sh', 'skiff --root DIR ps -a')
    .passThrough();
}

async function dispatch(
  program: SkiffCommand,
  args: string[],
  words: string[],
  options: GlobalOptions,
): Promise<number> {
  if (options.version) {
    say(`skiff version ${clientVersion().Version}`);
    return 0;
  }
  if (options.mine !== undefined) return (await import('./mine.ts')).runMine(options.mine, args);
  if (words.length === 0) {
    program.outputHelp();
    return 0;
  }
  if (words[0] === 'help') words = words.length > 1 ? [...words.slice(1), '--help'] : ['--help'];
  if (words[0] === '--help') {
    program.outputHelp();
    return 0;
  }
  const { entry, rest } = findCommand(words);
  if (entry === undefined) return 0;
  if (options.debug) process.env.SKIFF_DEBUG = '1';
  const context = makeContext(options);
  const command = (await entry.load())(context);
  try {
    await command.parseAsync(rest, { from: 'user' });
  } catch (error) {
    throw withUsage(error, command.usageText());
  } finally {
    context.client.close();
  }
  return Number(process.exitCode ?? 0);
}

function makeContext(options: GlobalOptions): Context {
  const location = resolveLocation(options, process.env);
  const client = new ApiClient({
    socket: location.socket,
    apiVersion: apiVersion(),
    ...(location.startable && {
      startDaemon: async () => (await import('./autostart.ts')).startDaemon(location),
    }),
  });
  return { client, location };
}

function findCommand(words: string[]): { entry: CommandEntry | undefined; rest: string[] } {
  const [first = '', second] = words;
  const group = Object.hasOwn(GROUPS, first) ? GROUPS[first] : undefined;
  if (group === undefined) {
    const entry = COMMANDS.find((each) => each.name === first);
    if (entry === undefined)
      throw unknownCommand(first, [...COMMANDS.map((each) => each.name), ...Object.keys(GROUPS)]);
    return { entry, rest: words.slice(1) };
  }
  if (second === undefined || second === '--help') {
    say(`Usage:  skiff ${first} COMMAND\n\nCommands:\n  ${Object.keys(group).sort().join('\n  ')}`);
    return { entry: undefined, rest: [] };
  }
  const name = Object.hasOwn(group, second) ? group[second] : undefined;
  if (name === undefined) throw unknownCommand(second, Object.keys(group), `${first} `);
  return { entry: COMMANDS.find((each) => each.name === name), rest: words.slice(2) };
}

function unknownCommand(name: string, known: string[], group = ''): UsageError {
  const candidate = nearest(name, known);
  const hint =
    candidate === undefined
      ? ''
      : `
Did you mean 'skiff ${group}${candidate}'?`;
  const error = new UsageError(`skiff: unknown command: skiff ${group}${name}${hint}`, 1);
  const usage =
    group === ''
      ? ''
      : `Usage:  skiff ${group.trim()}

`;
  error.usage = `${usage}Run 'skiff ${group}--help' for more information`;
  return error;
}

function withUsage(error: unknown, usage: string): unknown {
  if (error instanceof UsageError && error.usage === '') error.usage = usage;
  return error;
}

function commandHelp(): string {
  const widest = Math.max(...COMMANDS.map((entry) => entry.name.length));
  const lines = COMMANDS.map((entry) => `  ${entry.name.padEnd(widest)}  ${entry.summary}`);
  return `\nCommands:\n${lines.join('\n')}\n\nRun 'skiff COMMAND --help' for more information on a command.`;
}
