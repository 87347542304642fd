import { spawnSync } from 'node:child_process';
import { hostCgroups } from '../../cgroups/host.ts';
import { parseLine, textOf } from '../command-line.ts';
import { checkContainerId } from '../container-id.ts';
import { RuntimeError } from '../error.ts';
import { readRecord } from '../record.ts';
import type { Command } from '../settings.ts';

/** What the host's ps says, of the container's processes. */
export const command: Command = (words, { root }) => {
  const line = parseLine({ format: { value: true, short: 'f' } }, words, 'before');
  const [id, ...options] = line.rest;
  const { cgroupsPath } = readRecord(root, checkContainerId(id));
  const pids = hostCgroups().find(cgroupsPath)?.processes() ?? [];
  const format = textOf(line, 'format') ?? 'table';
  if (format === 'json') process.stdout.write(`${JSON.stringify(pids.sort((a, b) => a - b))}\n`);
  else if (format === 'table') process.stdout.write(linesOf(pids, options.length > 0 ? options : ['-ef']));
  else throw new RuntimeError(`invalid format option: ${format}; there is table and json`);
  return 0;
};

function linesOf(pids: number[], options: string[]): string {
  const { status, stdout, stderr, error } = spawnSync('ps', options, { encoding: 'utf8' });
  if (status !== 0) throw new RuntimeError(`ps ${options.join(' ')} failed: ${error?.message ?? stderr.trim()}`);
  const [title = '', ...lines] = stdout.trimEnd().split('\n');
  const column = title.trim().split(/\s+/).indexOf('PID');
  if (column < 0) throw new RuntimeError("couldn't find PID field in ps output");
  const ours = lines.filter((each) => pids.includes(Number(each.trim().split(/\s+/)[column])));
  return `${[title, ...ours].join('\n')}\n`;
}
