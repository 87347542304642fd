import { setFrozen } from '../../cgroups/freezer.ts';
import { argumentsOf, parseLine } from '../command-line.ts';
import { RuntimeError } from '../error.ts';
import { readRecord } from '../record.ts';
import type { Command } from '../settings.ts';
import { statusOf } from '../status.ts';

export const command: Command = (words, { root }) => {
  const [id] = argumentsOf(parseLine({}, words), 'pause', 1);
  const record = readRecord(root, id!);
  const status = statusOf(root, record);
  if (status !== 'running') throw new RuntimeError(`cannot pause a container that is ${status}`);
  setFrozen(record.cgroupsPath, true);
  return 0;
};
