import { userInfo } from 'node:os';
import { argumentsOf, parseLine, textOf } from '../command-line.ts';
import { RuntimeError } from '../error.ts';
import { allRecords } from '../record.ts';
import type { Command } from '../settings.ts';
import { stateOf } from '../state.ts';
import { statusOf } from '../status.ts';

export const command: Command = (words, { root }) => {
  const line = parseLine({ format: { value: true, short: 'f' }, quiet: { value: false, short: 'q' } }, words);
  argumentsOf(line, 'list', 0);
  const containers = allRecords(root).map((record) => ({
    ...stateOf(record, statusOf(root, record)),
    rootfs: record.rootfs,
    created: record.created,
    owner: nameOf(record.owner),
  }));
  const format = textOf(line, 'format') ?? 'table';
  if (line.flags.has('quiet')) process.stdout.write(containers.map(({ id }) => `${id}\n`).join(''));
  else if (format === 'json') process.stdout.write(`${JSON.stringify(containers)}\n`);
  else if (format === 'table')
    process.stdout.write(
      table([
        ['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER'],
        ...containers.map(({ id, pid, status, bundle, created, owner }) => [
          id,
          String(pid),
          status,
          bundle,
          created,
          owner,
        ]),
      ]),
    );
  else throw new RuntimeError(`invalid format option: ${format}; there is table and json`);
  return 0;
};

function table(rows: string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(11, ...rows.map((row) => row[column]!.length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join(' ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** Nobody else's name is looked up: that would take the host's user database. */
function nameOf(uid: number): string {
  try {
    const { uid: own, username } = userInfo();
    return uid === own ? username : String(uid);
  } catch {
    // Without a line in /etc/passwd it has no name.
    return String(uid);
  }
}
