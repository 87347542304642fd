/** The host's Node from inside, by the way of CVE-2019-5736: a script of the image's that has /proc/self/exe for interpreter. */

import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Bench, openBench } from '../oci/testing/bench.ts';
import { dockerCapabilities, specFor, usualMounts } from '../testing/rootfs.ts';
import { startShim, type TestShim } from '../testing/shim.ts';

/** What a container needs for the host's Node to load in it. An image may bring that itself. */
const libraries = ['/usr', '/lib', '/lib64'].filter((path) => existsSync(path));
const mounts = libraries.map((path) => ({
  destination: path,
  type: 'bind',
  source: path,
  options: ['rbind', 'ro'],
}));

/**
 * Runs if the interpreter is the host's Node, and tries to change that file in four ways. None would do harm where it
 * succeeded: the mode is the one that it has, and what is running is ETXTBSY for a process that opens it to write.
 */
const evil = `#!/proc/self/exe
const fs = require('node:fs');
const say = (...words) => fs.appendFileSync(process.argv[2] ?? '/proc/self/fd/1', words.join(' ') + '\\n');
const tried = (name, act) => {
  try {
    act();
    say(name, 'succeeded');
  } catch (error) {
    say(name, error.code);
  }
};
const exe = '/proc/self/exe';
const kept = fs.openSync(exe, 'r');
tried('chmod', () => fs.chmodSync(exe, fs.statSync(exe).mode & 0o7777));
tried('chown', () => fs.chownSync(exe, fs.statSync(exe).uid, fs.statSync(exe).gid));
tried('truncate', () => fs.openSync('/proc/self/fd/' + kept, 'w'));
tried('write', () => fs.closeSync(fs.openSync(exe, 'r+')));
`;
/** The kernel looks at who runs a file before it looks at the mount, but not where it would be emptied. */
const REFUSED = 'chmod EROFS\nchown EROFS\ntruncate EROFS\nwrite ETXTBSY\n';

function writeEvil(rootfs: string): void {
  const script = join(rootfs, 'evil');
  writeFileSync(script, evil);
  chmodSync(script, 0o755);
}

describe.skipIf(process.getuid?.() !== 0)('the host’s Node cannot be written to through /proc/self/exe', () => {
  let shim: TestShim;
  let bench: Bench;
  beforeAll(async () => {
    shim = await startShim();
    specFor(shim, ['true']);
    writeEvil(join(shim.directory, 'rootfs'));
    bench = openBench();
    writeEvil(join(bench.directory, 'rootfs'));
  });
  afterAll(async () => {
    bench?.close();
    await shim?.close();
  });

  const withLibraries = (args: string[]) => specFor(shim, args, { mounts: [...usualMounts, ...mounts] });
  const bundle = (args: string[]) =>
    bench.bundle((config) => {
      config.process.args = args;
      config.process.capabilities = dockerCapabilities;
      config.mounts!.push(...mounts);
    });

  test('by a container’s first process', async () => {
    expect((await shim.run(withLibraries(['/evil']))).stdout).toBe(REFUSED);
  });

  test('by a process that joins a container', async () => {
    const { key } = await shim.start(withLibraries(['/bin/sleep', '1000']));
    expect((await shim.exec(key.container, { args: ['/evil'], capabilities: dockerCapabilities })).stdout).toBe(
      REFUSED,
    );
  });

  test('through the OCI runtime’s run', () => {
    expect(bench.run('run', '--bundle', bundle(['/evil']), bench.newId()).stdout).toBe(REFUSED);
  });

  test('through the OCI runtime’s exec', () => {
    const id = bench.newId();
    expect(bench.run('run', '--detach', '--bundle', bundle(['/bin/sleep', '1000']), id).code).toBe(0);
    expect(bench.run('exec', id, '/evil').stdout).toBe(REFUSED);
  });

  test('through a hook that the OCI runtime runs in the container', () => {
    const out = join(bench.directory, 'out');
    mkdirSync(out);
    const withHook = bench.bundle((config) => {
      config.process.args = ['/bin/true'];
      config.mounts!.push(...mounts, { destination: '/out', type: 'bind', source: out, options: ['bind'] });
      config.hooks = { startContainer: [{ path: '/evil', args: ['evil', '/out/said'] }] };
    });
    expect(bench.run('run', '--bundle', withHook, bench.newId())).toMatchObject({ code: 0 });
    expect(readFileSync(join(out, 'said'), 'utf8')).toBe(REFUSED);
  });
});
