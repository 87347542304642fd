import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { settingsFor } from '../cgroups.ts';
import { cgroupVersion, mountedHierarchies } from './detect.ts';
import { deviceRules, formatRule } from './device-rules.ts';

const line = (mountPoint: string, type: string, options: string) =>
  `31 23 0:29 / ${mountPoint} rw,relatime shared:9 - ${type} ${type} ${options}\n`;

test('hierarchies mounted together are one, named ones and other file systems are none', () => {
  const found = mountedHierarchies(
    line('/sys/fs/cgroup', 'tmpfs', 'rw,mode=755') +
      line('/sys/fs/cgroup/cpu,cpuacct', 'cgroup', 'rw,cpu,cpuacct') +
      line('/sys/fs/cgroup/memory', 'cgroup', 'rw,memory,clone_children') +
      line('/sys/fs/cgroup/systemd', 'cgroup', 'rw,xattr,release_agent=/x,name=systemd') +
      line('/a\\040b', 'cgroup2', 'rw,nsdelegate'),
  );
  expect(found).toEqual({
    v1: [
      { mountPoint: '/sys/fs/cgroup/cpu,cpuacct', controllers: ['cpu', 'cpuacct'] },
      { mountPoint: '/sys/fs/cgroup/memory', controllers: ['memory'] },
    ],
    v2: { mountPoint: '/a b', controllers: [] },
  });
});

test('v1 controllers beside an empty v2 tree are v1, a v2 tree with controllers is v2, nothing is nothing', () => {
  const directory = mkdtempSync(join(tmpdir(), 'skiff-detect-'));
  try {
    const v2 = line(directory, 'cgroup2', 'rw');
    const version = (text: string) => cgroupVersion(mountedHierarchies(text));
    writeFileSync(join(directory, 'cgroup.controllers'), '');
    expect(version(line('/m', 'cgroup', 'rw,memory') + v2)).toBe(1);
    writeFileSync(join(directory, 'cgroup.controllers'), 'cpu memory pids\n');
    expect(version(v2)).toBe(2);
    expect(version(line('/s', 'cgroup', 'rw,name=systemd') + v2)).toBe(2);
    expect(version('')).toBe(null);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test.each([
  [2, 1],
  [512, 20],
  [1024, 39],
  [262_144, 10_000],
  [1, 1],
  [1e9, 10_000],
])('%i shares are a weight of %i', (shares, weight) => {
  expect(settingsFor(2, { cpu: { shares } })).toEqual([{ controller: 'cpu', file: 'cpu.weight', value: `${weight}` }]);
});

test('without rules of its own a container is denied all, and allowed the usual devices and those it was given', () => {
  const rules = deviceRules(undefined, [{ type: 'b', path: '/dev/disk', major: 8, minor: 1 }]).map(
    (rule) => `${rule.allow ? '+' : '-'} ${formatRule(rule)}`,
  );
  expect(rules[0]).toBe('- a');
  expect(rules).toContain('+ c 1:3 rwm');
  expect(rules).toContain('+ c 136:* rwm');
  expect(rules.at(-1)).toBe('+ b 8:1 rwm');
  expect(deviceRules([{ allow: true }], []).map(formatRule)).toEqual(['a']);
});
