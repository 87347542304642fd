import { argumentsOf, parseLine } from '../command-line.ts';
import { readRecord } from '../record.ts';
import type { Command } from '../settings.ts';
import { stateOf } from '../state.ts';
import { statusOf } from '../status.ts';

export const command: Command = (words, { root }) => {
  const [id] = argumentsOf(parseLine({}, words), 'state', 1);
  const record = readRecord(root, id!);
  const { rootfs, created, owner } = record;
  const state = { ...stateOf(record, statusOf(root, record)), rootfs, created, owner: String(owner) };
  process.stdout.write(`${JSON.stringify(state, null, 2)}\n`);
  return 0;
};
