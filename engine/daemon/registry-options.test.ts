import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { expect, test } from 'vitest';
import { RecordingRegistry } from '../registry/testing/recording-registry.ts';
import { addImage } from '../registry/testing/test-image.ts';
import { TestDaemon } from './testing/test-daemon.ts';

test('a daemon asks its mirror before Docker Hub, and tells of it', async () => {
  const daemon = await TestDaemon.start();
  const mirror = await RecordingRegistry.start();
  try {
    const image = await addImage(mirror.content, { layers: [{ 'a.txt': 'a' }] });
    mirror.tags.set('library/app:latest', image);
    await daemon.crash();
    const url = `http://${mirror.host}`;
    await daemon.launch(
      '--registry-mirror',
      url,
      '--insecure-registry',
      '10.0.0.0/8',
      '--insecure-registry',
      'old:5000',
    );
    const pulled = await daemon.docker('pull', 'app');
    expect(pulled.stdout).toContain(`Digest: ${image.digest}`);
    expect((await daemon.get('/images/app/json')).json.RepoTags).toEqual(['app:latest']);
    const { RegistryConfig } = (await daemon.get('/info')).json;
    expect(RegistryConfig.Mirrors).toEqual([url]);
    expect(RegistryConfig.InsecureRegistryCIDRs).toContain('10.0.0.0/8');
    expect(RegistryConfig.IndexConfigs['old:5000'].Secure).toBe(false);
  } finally {
    await mirror.close();
    expect(await daemon.destroy()).toEqual([]);
  }
});

test.each([
  ['--registry-mirror', 'ftp://x'],
  ['--registry-mirror', 'https://user:secret@x'],
  ['--insecure-registry', 'a/b'],
  ['--max-concurrent-downloads', '0'],
])('%s %s is refused by name', (option, value) => {
  const daemon = path.resolve(import.meta.dirname, '../../.build/default/daemon.cjs');
  const { status, stderr } = spawnSync(process.execPath, [daemon, option, value], { encoding: 'utf8' });
  expect(status).toBe(2);
  expect(stderr).toContain(`${option} must be`);
  expect(stderr).not.toContain('secret');
});
