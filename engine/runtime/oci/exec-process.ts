/** What `exec` is to run: a document, or the container's own process with changes from the command line. */

import { type OptionTable, type ParsedLine, textOf } from './command-line.ts';
import { type ConfigProcess, parseAs, process as processShape } from './config-document.ts';
import { RuntimeError } from './error.ts';
import { readGiven } from './json.ts';
import { refuseUnsupportedProcess } from './unsupported.ts';

export const processOptions: OptionTable = {
  process: { value: true, short: 'p' },
  cwd: { value: true },
  env: { value: true, short: 'e', many: true },
  tty: { value: false, short: 't' },
  user: { value: true, short: 'u' },
  'additional-gids': { value: true, short: 'g', many: true },
  'no-new-privs': { value: false },
  cap: { value: true, short: 'c', many: true },
};

/** @param base the process of the container's config.json. @throws RuntimeError */
export function execProcess(line: ParsedLine, base: ConfigProcess): ConfigProcess {
  const path = textOf(line, 'process');
  const process = path === undefined ? changed(line, base) : readProcess(path);
  return { ...process, terminal: line.flags.has('tty') || (path !== undefined && process.terminal === true) };
}

function readProcess(path: string): ConfigProcess {
  const document = readGiven(path);
  refuseUnsupportedProcess(document);
  return parseAs(processShape, document, path);
}

function changed(line: ParsedLine, base: ConfigProcess): ConfigProcess {
  const args = line.rest.slice(1);
  if (args.length === 0) throw new RuntimeError('process args cannot be empty');
  const user = textOf(line, 'user');
  const groups = line.values.get('additional-gids')?.map(idOf);
  const caps = line.values.get('cap') ?? [];
  return parseAs(
    processShape,
    {
      ...base,
      args,
      env: [...(base.env ?? []), ...(line.values.get('env') ?? [])],
      cwd: textOf(line, 'cwd') ?? base.cwd,
      user: { ...base.user, ...(user === undefined ? {} : userOf(user)), ...(groups && { additionalGids: groups }) },
      capabilities: withMore(base.capabilities, caps),
      noNewPrivileges: line.flags.has('no-new-privs') || base.noNewPrivileges,
    },
    'The process',
  );
}

function userOf(text: string): { uid: number; gid?: number } {
  const [uid, gid] = text.split(':', 2);
  return { uid: idOf(uid!), ...(gid !== undefined && { gid: idOf(gid) }) };
}

function idOf(text: string): number {
  if (!/^\d{1,10}$/.test(text))
    throw new RuntimeError(`${JSON.stringify(text)} is not an id; ids are numbers here, as UID or UID:GID`);
  return Number(text);
}

function withMore(capabilities: ConfigProcess['capabilities'], more: string[]): ConfigProcess['capabilities'] {
  if (more.length === 0) return capabilities;
  const add = (names: string[] | undefined) => [...new Set([...(names ?? []), ...more])];
  const { bounding, effective, permitted, inheritable, ambient } = capabilities ?? {};
  return { bounding: add(bounding), effective: add(effective), permitted: add(permitted), inheritable, ambient };
}
