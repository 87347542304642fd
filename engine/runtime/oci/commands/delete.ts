import { argumentsOf, parseLine } from '../command-line.ts';
import { deleteContainer } from '../delete-container.ts';
import type { Command } from '../settings.ts';

export const command: Command = (words, { root }) => {
  const line = parseLine({ force: { value: false, short: 'f' } }, words);
  const [id] = argumentsOf(line, 'delete', 1);
  deleteContainer(root, id!, line.flags.has('force'));
  return 0;
};
