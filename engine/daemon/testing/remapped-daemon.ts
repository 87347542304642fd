/** A daemon with `--userns-remap`, on a machine that is told of nobody: /etc/subuid and /etc/subgid are the daemon's own. */

import fs from 'node:fs';
import { TestDaemon } from './test-daemon.ts';

export const REMAP_NAME = 'skiff-test-remap';
export const REMAP_FIRST = 700_000;

const SCRIPT = `set -e
file=$(mktemp)
echo ${REMAP_NAME}:${REMAP_FIRST}:65536 > "$file"
mount --bind "$file" /etc/subuid
mount --bind "$file" /etc/subgid
rm "$file"
exec "$@"`;

/** The command in whose mount namespace such a daemon finds its ids. */
export const WITH_IDS = ['unshare', '--mount', '--propagation', 'slave', 'sh', '-c', SCRIPT, 'sh'];

/** Why there can be none here; undefined when there can. */
export function noRemapping(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can remap';
  const missing = ['/etc/subuid', '/etc/subgid'].find((file) => !fs.existsSync(file));
  return missing === undefined ? undefined : `there is no ${missing} here`;
}

export async function startRemappedDaemon(): Promise<TestDaemon> {
  return await TestDaemon.start('root', undefined, ['env', `SKIFF_USERNS_REMAP=${REMAP_NAME}`, ...WITH_IDS]);
}
