import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';
import { LongestFirst } from './grader/workshop/test/longest-first.ts';

/**
 * The suites of the labs judge whatever is in labs/, so they are red until a learner has done them. They are part of
 * a run only when it names them (`npx vitest run labs/01-process`); grader/proof runs them against what is known.
 */
const labs = process.argv.some((argument) => /(^|\/)labs(\/|$)/.test(argument)) ? ['labs/**/*.test.ts'] : [];

export default defineConfig({
  test: {
    include: ['engine/**/*.test.ts', 'grader/**/*.test.ts', ...labs],
    exclude: [...configDefaults.exclude, '**/.build/**', '**/testdata/**'],
    setupFiles: labs.length > 0 ? ['grader/harness/reds.ts'] : [],
    globalSetup: ['grader/harness/build-once.ts'],
    pool: 'forks',
    // No test makes a link or a rule in the host's network: daemons have no bridge there. The tests of networks start
    // theirs in a network namespace of its own, and take this away (engine/daemon/testing/networked-daemon.ts).
    env: { SKIFF_BRIDGE: 'none' },
    // Vitest itself leaves one processor alone, which is half of two; and most files wait for something most of their time.
    maxWorkers: availableParallelism(),
    sequence: { sequencer: LongestFirst },
    // Containers are started for real, and a machine may have two cores for all of it and others beside it: these are for
    // what hangs, and never for what is slow.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    teardownTimeout: 10_000,
    // The default is one second, which a busy machine needs for one start.
    expect: { poll: { timeout: 60_000 } },
  },
});
