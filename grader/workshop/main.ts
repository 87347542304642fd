/** The learner's command. */

import { Command } from 'commander';

const program = new Command('workshop').description('Build your own container engine, lab by lab.');
const install = () => process.env.WORKSHOP_NO_INSTALL !== '1';
program
  .command('doctor')
  .option('--json')
  .action(async (options) => (await import('./doctor/command.ts')).doctor(options));
program
  .command('test')
  .argument('[filter...]')
  .action(async (filters) => (await import('./test/command.ts')).runEveryCheck(filters, { install: install() }));
program
  .command('probe-kernel', { hidden: true })
  .action(async () => (await import('./doctor/kernel-probes.ts')).answerKernelProbes());
void program.parseAsync();
