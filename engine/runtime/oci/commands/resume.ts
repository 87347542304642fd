import { setFrozen } from '../../cgroups/freezer.ts';
import { argumentsOf, parseLine } from '../command-line.ts';
import { RuntimeError } from '../error.ts';
import { readRecord } from '../record.ts';
import type { Command } from '../settings.ts';
import { statusOf } from '../status.ts';

export const command: Command = (words, { root }) => {
  const [id] = argumentsOf(parseLine({}, words), 'resume', 1);
  const record = readRecord(root, id!);
  const status = statusOf(root, record);
  if (status !== 'paused') throw new RuntimeError(`cannot resume a container that is ${status}`);
  setFrozen(record.cgroupsPath, false);
  return 0;
};
