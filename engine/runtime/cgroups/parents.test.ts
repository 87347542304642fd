import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { hostCgroups, whyNoCgroups } from './host.ts';
import { idleParents } from './parents.ts';

const why = process.getuid?.() === 0 ? whyNoCgroups() : 'root makes cgroups';

test.skipIf(why !== null)('parents that were made for a container go with it, those that were there stay', () => {
  const there = `/skiff-test-${randomBytes(4).toString('hex')}`;
  const cgroups = hostCgroups();
  const make = (path: string) => cgroups.create({ path, resources: {}, devices: [] });
  const standing = make(there);
  try {
    const parents = idleParents();
    const path = `${there}/team/web/container`;
    parents.used(path);
    const container = make(path);
    parents.release();
    expect(cgroups.find(`${there}/team/web`)).not.toBeNull();
    parents.used(path);
    expect(container.remove()).toBe(true);
    parents.release();
    // What another container had made when this one came is not told apart from what was there.
    expect(cgroups.find(`${there}/team/web`)).not.toBeNull();
    expect(cgroups.removeEmpty(`${there}/team/web`) && cgroups.removeEmpty(`${there}/team`)).toBe(true);
    parents.used(path);
    expect(make(path).remove()).toBe(true);
    parents.release();
    expect(cgroups.find(`${there}/team`)).toBeNull();
    expect(cgroups.find(there)).not.toBeNull();
  } finally {
    standing.remove();
  }
});
