import { expect, test } from 'vitest';
import { parseSubordinateIds } from './subordinate-ids.ts';
import { remapOf, rootOf, userRemap } from './user-remap.ts';

const FILES = {
  uid: 'dockremap:1000:10\nother:5000:10\ndockremap:3000:5\n1234:7000:100\n',
  gid: 'dockremap:2000:15\nstaff:8000:10\n',
};
const rangesOf = (kind: 'uid' | 'gid', user: { name: string; uid: number }) => parseSubordinateIds(FILES[kind], user);

test('several ranges follow one another, and a group may have other ones', () => {
  expect(userRemap('default', rangesOf)).toEqual({
    uids: [
      { containerID: 0, hostID: 1000, size: 10 },
      { containerID: 10, hostID: 3000, size: 5 },
    ],
    gids: [{ containerID: 0, hostID: 2000, size: 15 }],
  });
  const remap = userRemap('1234:staff', rangesOf);
  expect(remap.uids).toEqual([{ containerID: 0, hostID: 7000, size: 100 }]);
  expect(rootOf(remap)).toEqual({ uid: 7000, gid: 8000 });
});

test('a user without subordinate ids, and an unknown one, is rejected', () => {
  expect(() => userRemap('staff', rangesOf)).toThrow(/\/etc\/subuid has no ids for staff/);
  expect(() => userRemap('other', rangesOf)).toThrow(/\/etc\/subgid has no ids for other/);
  for (const wrong of ['', ':', 'a:', ':b', 'a:b:c'])
    expect(() => userRemap(wrong, rangesOf)).toThrow(/must be default/);
});

test('a container that shares the host’s ids has none of its own', () => {
  const remap = userRemap('default', rangesOf);
  const modes = { UsernsMode: '', NetworkMode: 'none', PidMode: '', Privileged: false };
  expect(remapOf(remap, modes)).toBe(remap);
  expect(remapOf(remap, { ...modes, UsernsMode: 'host', Privileged: true })).toBeUndefined();
  expect(() => remapOf(remap, { ...modes, Privileged: true })).toThrow(/privileged mode is incompatible/);
});
