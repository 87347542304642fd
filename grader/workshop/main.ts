/** The learner's command. */

import { Command } from 'commander';

const program = new Command('workshop').description('Build your own container engine, lab by lab.');
program
  .command('doctor')
  .option('--json')
  .action(async (options) => (await import('./doctor/command.ts')).doctor(options));
program
  .command('probe-kernel', { hidden: true })
  .action(async () => (await import('./doctor/kernel-probes.ts')).answerKernelProbes());
void program.parseAsync();
