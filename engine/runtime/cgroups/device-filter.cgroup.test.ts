import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { getCapabilities, setCapabilities } from '#kernel/credentials';
import { mountedHierarchies } from './detect.ts';
import { filterDevices } from './device-filter.ts';
import { deviceRules } from './device-rules.ts';
import { removeTree } from './files.ts';
import { v1Driver } from './v1.ts';
import { v2Driver } from './v2.ts';

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

/** Rules that no other test has: a program that is loaded already is attached again, which asks for less. */
const usual = { path: `/skiff-test-${process.pid}`, resources: { devices: [{ allow: false }] }, devices: [] };

test.skipIf(!tree)('where bpf(2) is not permitted, root starts nothing that could use any device', () => {
  const capabilities = getCapabilities();
  const [CAP_SYS_ADMIN, CAP_BPF] = [21n, 39n];
  const without = capabilities.effective & ~(1n << CAP_SYS_ADMIN) & ~(1n << CAP_BPF);
  setCapabilities({ ...capabilities, effective: without });
  try {
    expect(() => v2Driver(tree!).create(usual)).toThrow(
      /cannot be limited, so it is not started: bpf .*EPERM.*CAP_BPF/,
    );
    expect(existsSync(join(tree!, usual.path))).toBe(false);
    expect(
      v2Driver(tree!)
        .create({ ...usual, resources: { devices: [{ allow: true }] } })
        .remove(),
    ).toBe(true);
  } finally {
    setCapabilities(capabilities);
    removeTree(join(tree!, usual.path));
  }
});

test.skipIf(!tree)('who is not root, or root of a user namespace only, does without', () => {
  process.seteuid!(65_534);
  try {
    filterDevices('/nowhere', deviceRules(undefined, [{ type: 'c', path: '/dev/own', major: 9, minor: 9 }]));
  } finally {
    process.seteuid!(0);
  }
  const script = `import('${resolve('engine/runtime/cgroups/device-filter.ts')}')
    .then(({ filterDevices }) => filterDevices('/nowhere', [{ allow: false }]))
    .then(() => console.log('done'));`;
  const node = [process.execPath, '--import', 'tsx', '-e', script];
  expect(execFileSync('unshare', ['--user', '--map-root-user', ...node], { encoding: 'utf8' })).toBe('done\n');
});

test.skipIf(process.getuid?.() !== 0)('v1 without its devices hierarchy starts nothing either', () => {
  expect(() => v1Driver([]).create(usual)).toThrow('no devices cgroup mounted');
});
