import { execFileSync } from 'node:child_process';
import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mountedHierarchies } from './detect.ts';
import { filterDevices } from './device-filter.ts';
import { deviceRules } from './device-rules.ts';

const tree = process.getuid?.() === 0 ? mountedHierarchies().v2?.mountPoint : undefined;

/** What a shell in a cgroup with these rules says. A hybrid host's empty v2 tree filters devices, too. */
function shellUnder(rules: Parameters<typeof deviceRules>[0], script: string): string {
  const directory = join(tree!, `skiff-test-${process.pid}`);
  mkdirSync(directory);
  try {
    filterDevices(directory, deviceRules(rules, []));
    const inside = `echo $$ > ${directory}/cgroup.procs; ${script}`;
    return execFileSync('sh', ['-c', inside], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } finally {
    rmdirSync(directory);
  }
}

/** A device of its own numbers: kmsg, which is harmless to open. */
const tries =
  'head -c1 /dev/zero >/dev/null && echo zero; (exec 3</dev/kmsg) && echo read; (exec 3>>/dev/kmsg) && echo write';

test.skipIf(!tree)('the usual devices can be used, others cannot', () => {
  expect(shellUnder(undefined, `${tries}; true`)).toBe('zero\n');
});

test.skipIf(!tree)('a rule that allows reading allows nothing else, the last rule that fits decides', () => {
  const kmsg = { type: 'c', major: 1, minor: 11 } as const;
  expect(shellUnder([{ allow: false }, { allow: true, ...kmsg, access: 'r' }], `${tries}; true`)).toBe('read\n');
  expect(shellUnder([{ allow: true }, { allow: false, ...kmsg, access: 'w' }], `${tries}; true`)).toBe('zero\nread\n');
  expect(shellUnder([{ allow: false }, { allow: true }], `${tries}; true`)).toBe('zero\nread\nwrite\n');
});
