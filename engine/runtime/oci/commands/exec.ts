import { resolve } from 'node:path';
import { runUnwritable } from '../../run-unwritable.ts';
import { numberOf, parseLine, textOf } from '../command-line.ts';
import { execInRecorded } from '../exec-container.ts';
import { execProcess, processOptions } from '../exec-process.ts';
import { stayWith } from '../foreground.ts';
import { openDescriptor } from '../json.ts';
import { readRecord } from '../record.ts';
import type { Command } from '../settings.ts';

export const command: Command = async (words, { root, log }) => {
  const line = parseLine(
    {
      ...processOptions,
      detach: { value: false, short: 'd' },
      'pid-file': { value: true },
      'console-socket': { value: true },
      'preserve-fds': { value: true },
    },
    words,
    'before',
  );
  const preserveFds = numberOf(line, 'preserve-fds') ?? 0;
  // It may start this program anew; what a pipe says can be read only once, so that comes after.
  const given = openDescriptor(textOf(line, 'process') ?? '');
  runUnwritable(preserveFds, given === undefined ? [] : [given]);
  const record = readRecord(root, line.rest[0] ?? '');
  const path = (name: string) => {
    const value = textOf(line, name);
    return value ? resolve(value) : undefined;
  };
  const stays = !line.flags.has('detach');
  const started = await execInRecorded(record, {
    root,
    log,
    process: execProcess(line, record.config.process),
    pidFile: path('pid-file'),
    consoleSocket: path('console-socket'),
    preserveFds,
    stays,
  });
  return stays ? stayWith(started) : 0;
};
