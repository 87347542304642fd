import { argumentsOf, parseLine } from '../command-line.ts';
import { readRecord } from '../record.ts';
import type { Command } from '../settings.ts';
import { startCreated } from '../start-created.ts';

export const command: Command = (words, { root }) => {
  const [id] = argumentsOf(parseLine({}, words), 'start', 1);
  startCreated(root, readRecord(root, id!));
  return 0;
};
