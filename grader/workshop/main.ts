/** The learner's command. */

import { Command } from 'commander';

new Command('workshop').description('Build your own container engine, lab by lab.').parse();
