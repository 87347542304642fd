/** A host without nftables: containers run, and what needs it is refused with the way out. */

import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { noNetworks } from './testing/networked-daemon.ts';
import { dockerIsMissing, TestDaemon } from './testing/test-daemon.ts';

const why = noNetworks() ?? (dockerIsMissing() || undefined);

describe.skipIf(why)('without nft', () => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    const nft = execFileSync('sh', ['-c', 'readlink -f "$(command -v nft)"'], { encoding: 'utf8' }).trim();
    // A file that cannot be run lies over the program, in a mount namespace of the daemon's own.
    const hide = `mount --make-rprivate / && mount --bind /dev/null ${nft} && ip link set lo up && exec "$@"`;
    const apart = ['env', '-u', 'SKIFF_BRIDGE', 'unshare', '--mount', '--net', 'sh', '-c', hide, 'sh'];
    daemon = await TestDaemon.start('', undefined, apart);
  });
  afterAll(async () => {
    expect(await daemon?.destroy()).toEqual([]);
  });

  test('a container that asks for no network runs with none, and info says why', async () => {
    const ran = await daemon.docker('run', '--rm', 'hostbox', 'ls', '/sys/class/net');
    expect(ran).toMatchObject({ code: 0, stdout: 'lo\n' });
    const { json } = await daemon.get('/info');
    expect(json.Warnings.join('\n')).toContain('Install the package nftables');
  });

  test.each([
    ['a published port', ['run', '--rm', '-p', '8080:80', 'hostbox', 'true']],
    ['the bridge', ['run', '--rm', '--network', 'bridge', 'hostbox', 'true']],
    ['a new network', ['network', 'create', 'mine']],
  ])('%s is refused', async (_, args) => {
    const { code, stderr } = await daemon.docker(...args);
    expect(stderr).toMatch(/nftables|--network none/);
    expect(code).not.toBe(0);
  });
});
