import { argumentsOf, parseLine } from '../command-line.ts';
import { createContainer } from '../create-container.ts';
import { launchOptions, readLaunchOptions } from '../launch-options.ts';
import type { Command } from '../settings.ts';

export const command: Command = async (words, { root, log }) => {
  const line = parseLine(launchOptions, words);
  const [id] = argumentsOf(line, 'create', 1);
  await createContainer({ ...readLaunchOptions(line), id, root, log, stays: false });
  return 0;
};
