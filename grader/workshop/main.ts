/** The learner's command: what can be typed, and what it leads to. Each command is loaded when it is used. */

import { spawnSync } from 'node:child_process';
import { Command, Option } from 'commander';
import { endOnLostOutput } from '../../engine/cli/lost-output.ts';
import { giveBack } from './give-back.ts';
import { stateFolder } from './home.ts';
import { nearest } from './nearest.ts';
import { Advice, paint } from './terminal.ts';

const program = new Command('workshop')
  .description('Build your own container engine, lab by lab. Without a command: the menu.')
  .option('--no-install', 'install no Debian packages (also WORKSHOP_NO_INSTALL=1)')
  .configureHelp({ showGlobalOptions: false })
  .showSuggestionAfterError()
  .enablePositionalOptions()
  .exitOverride()
  .showHelpAfterError('See: ./workshop --help')
  .addHelpText('after', '\nExamples:\n  ./workshop\n  ./workshop start what-is-a-container\n  ./workshop watch')
  .allowExcessArguments()
  .action(async () => {
    const [unknown] = program.args;
    if (unknown !== undefined) throw noSuchCommand(unknown);
    await (await import('./menu.ts')).menu({ install: mayInstall() }, runCommand);
  });

const mayInstall = () => program.opts().install !== false && !process.env.WORKSHOP_NO_INSTALL;
const json = () => new Option('--json', 'print JSON');

command('doctor', 'probe what this host can do, and say which labs that unlocks', ['doctor', 'doctor --json'])
  .addOption(json())
  .option('--install', 'try again to install the Debian packages that are missing')
  .action(async (options) => {
    if (options.install) await (await import('./setup.ts')).setUpPackages({ install: true, again: true });
    (await import('./doctor/command.ts')).doctor(options);
  });

command('list', 'the map of labs, and the next step', ['list', 'list --json'])
  .addOption(json())
  .action(async (options) => (await import('./list.ts')).list(options));

command('start [lab]', 'go to a lab: why it is there, what to read, what to write', ['start process', 'start 1 --edit'])
  .option('--edit', 'open the file in $VISUAL or $EDITOR')
  .addOption(json())
  .action(async (lab, options) => (await import('./start.ts')).start(lab, options));

command('check [lab]', 'check a lab, by default the one you are in', [
  'check',
  'check exec --task 6',
  'check rootfs --json',
])
  .option('--task <number>', 'only the tests of this task', positiveNumber)
  .option('--seed <number>', 'draw the inputs of the tests from this number, to repeat a check', seedNumber)
  .addOption(json())
  .action(async (lab, options) => (await import('./check/command.ts')).check(lab, options));

command('watch [lab]', 'check at every save; keys: 1-9 one task, a all, h hint, d diff, r rerun, n next lab, q quit', [
  'watch',
  'watch process',
]).action(async (lab) => {
  await (await import('./watch/command.ts')).watch(lab);
  process.exit(0);
});

command('hint [lab]', 'a hint from what the check saw, then one more at every call', ['hint', 'hint rootfs --task 2'])
  .option('--task <number>', 'for this task instead of the first open one', positiveNumber)
  .addOption(json())
  .action(async (lab, options) => (await import('./hint.ts')).hint(lab, options));

command('diff [lab]', "what you have written against the engine's, function by function", [
  'diff',
  'diff namespaces',
]).action(async (lab) => (await import('./diff.ts')).diff(lab));

command('reset <lab>', 'put the starter back; your file is kept in .workshop/backup', ['reset process']).action(
  async (lab) => (await import('./reset.ts')).reset(lab),
);

command('catch-up <lab>', 'begin at a later lab: solutions go in before it, your work goes to a branch', [
  'catch-up rootfs',
])
  .option('--all', 'replace also the planks of labs that you have passed')
  .action(async (lab, options) => (await import('./catch-up.ts')).catchUp(lab, options));

command('solution <lab>', 'one way to do it; opens when yours passes', [
  'solution process',
  'solution process --give-up',
])
  .option('--give-up', 'see it before that; it is recorded in your progress')
  .action(async (lab, options) => (await import('./solution.ts')).solution(lab, options));

command('progress', 'points, hints and days, from .workshop/progress.txt', ['progress', 'progress --json'])
  .addOption(json())
  .action(async (options) => (await import('./list.ts')).progressReport(options));

command('run [args...]', 'the engine with your planks, the same as ./skiff --mine run', ['run --rm hostbox echo hello'])
  .allowUnknownOption()
  .passThroughOptions()
  .action(async (args) => (await import('./run-mine.ts')).runMine(['run', ...args], undefined));

command('test [filter...]', 'every check of this repository: lint, types, tests', [
  'test',
  'test grader/workshop',
]).action(async (filters) => (await import('./test/command.ts')).runEveryCheck(filters, { install: mayInstall() }));

program
  .command('run-mine [args...]', { hidden: true })
  .option('--planks <labs>', 'these labs instead of those that pass, comma-separated')
  .allowUnknownOption()
  .passThroughOptions()
  .action(async (args, { planks }) =>
    (await import('./run-mine.ts')).runMine(args, planks === undefined ? undefined : planks.split(',').filter(Boolean)),
  );

program
  .command('probe-kernel', { hidden: true })
  .action(async () => (await import('./doctor/kernel-probes.ts')).answerKernelProbes());

// `./workshop list | head` has read enough.
endOnLostOutput('workshop', 0);

process.on('exit', giveBack);
program.parseAsync().catch(fail);

function command(usage: string, description: string, examples: string[]): Command {
  return program
    .command(usage)
    .description(description)
    .allowExcessArguments(false)
    .showHelpAfterError(`See: ./workshop ${usage.split(' ')[0]} --help`)
    .addHelpText('after', `\nExamples:\n${examples.map((example) => `  ./workshop ${example}`).join('\n')}`);
}

function noSuchCommand(typed: string): Advice {
  const names = program.commands.map((known) => known.name());
  const meant = nearest(typed, names);
  const what = meant === undefined ? 'See what there is: ./workshop --help' : `Did you mean: ./workshop ${meant}`;
  return new Advice(`There is no command "${typed}". ${what}`, 2);
}

function positiveNumber(text: string): number {
  if (!/^[1-9]\d?$/.test(text)) throw new Advice(`--task must be the number of a task, such as 2, not "${text}".`, 2);
  return Number(text);
}

function seedNumber(text: string): number {
  if (!/^\d{1,10}$/.test(text) || Number(text) >= 2 ** 31)
    throw new Advice(`--seed must be a whole number from 0 to ${2 ** 31 - 1}, not "${text}".`, 2);
  return Number(text);
}

/** For the menu: a process of its own, which may end as it likes and leaves the menu where it was. */
function runCommand(words: string[]): void {
  spawnSync(process.execPath, [process.argv[1] ?? '', ...words], { stdio: 'inherit' });
}

function fail(error: Error & { code?: string; exitCode?: number; path?: string }): void {
  if (error.code?.startsWith('commander.')) {
    // Commander has printed help, or what was wrong with the words, by now.
    process.exit(error.exitCode === 0 ? 0 : 2);
  }
  if (error instanceof Advice) {
    console.error(`${paint.red('✘')} ${error.message}`);
    process.exit(error.exitCode);
  }
  if (typeof error.path === 'string' && error.path.startsWith(stateFolder)) {
    const advice = 'The workshop keeps its own files there: make it writable, or clone into a folder of your own.';
    console.error(`${paint.red('✘')} ${error.message}. ${advice}`);
    process.exit(1);
  }
  const where = process.env.WORKSHOP_DEBUG ? `\n${error.stack}` : ' (WORKSHOP_DEBUG=1 shows where.)';
  console.error(`${paint.red('✘')} ${error.message ?? error}${where}`);
  process.exit(1);
}
