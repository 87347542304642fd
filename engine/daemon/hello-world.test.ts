import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerIsMissing, TestDaemon } from './testing/test-daemon.ts';

const missing = dockerIsMissing();

describe.skipIf(missing)('hello-world', () => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    daemon = await TestDaemon.start();
  });
  afterAll(async () => {
    expect(await daemon?.destroy()).toEqual([]);
  });

  test('is made when a container needs it, and names client, daemon, registry and container', async () => {
    expect((await daemon.get('/images/hello-world/json')).status).toBe(404);
    const { code, stdout, stderr } = await daemon.docker('run', '--rm', 'hello-world');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const word of ['client', 'daemon', 'registry', 'container']) expect(stdout).toContain(word);
    expect((await daemon.get('/images/hello-world/json')).json.RepoTags).toEqual(['hello-world:latest']);
  });

  test('runs without a network and as another user, on a root that may not be written to', async () => {
    const { code, stdout } = await daemon.docker(
      ...['run', '--rm', '--network', 'none', '--read-only', '-u', '1234', 'hello-world'],
    );
    expect({ code, says: stdout.includes('Ahoy') }).toEqual({ code: 0, says: true });
  });

  test('is a base that images are built on', async () => {
    const built = await daemon.dockerWithInput('FROM hello-world\nLABEL a=b\n', 'build', '-q', '-t', 'mine', '-');
    expect(built.code).toBe(0);
    expect((await daemon.docker('run', '--rm', 'mine')).stdout).toContain('Ahoy');
  });

  test('comes back after it was removed', async () => {
    await daemon.docker('rmi', '-f', 'hello-world');
    expect((await daemon.docker('run', '--rm', 'docker.io/library/hello-world:latest')).code).toBe(0);
  });
});
