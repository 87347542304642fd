import { argumentsOf, parseLine } from '../command-line.ts';
import { readRecord } from '../record.ts';
import type { Command } from '../settings.ts';
import { signalAll, signalInit } from '../signal-container.ts';
import { signalNumber } from '../signal-number.ts';

export const command: Command = (words, { root }) => {
  const line = parseLine({ all: { value: false, short: 'a' } }, words);
  const [id, name = 'SIGTERM'] = argumentsOf(line, 'kill', 1, 2);
  const record = readRecord(root, id!);
  const signal = signalNumber(name);
  if (line.flags.has('all')) signalAll(record, signal);
  else signalInit(root, record, signal);
  return 0;
};
