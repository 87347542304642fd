import { expect, test } from 'vitest';
import { whyNoUserNamespace } from './obstacles.ts';

test.each([
  ['kernel/apparmor_restrict_unprivileged_userns', '1', 'sysctl -w kernel.apparmor_restrict_unprivileged_userns=0'],
  ['kernel/unprivileged_userns_clone', '0', 'sysctl -w kernel.unprivileged_userns_clone=1'],
  ['user/max_user_namespaces', '0', 'sysctl -w user.max_user_namespaces=15000'],
  ['none/of/these', '', '--privileged'],
])('%s at %s is told with its way out', (name, value, way) => {
  const why = whyNoUserNamespace('unshare: Operation not permitted', (asked) => (asked === name ? value : undefined));
  expect(why).toContain(way);
  expect(why).toContain('unshare: Operation not permitted');
  expect(why).toContain('sudo');
});
