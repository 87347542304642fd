import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DebianRegistry, PASSWORD, USER } from '../../registry/testing/debian-registry.ts';
import { TestEngine } from '../testing/engine.ts';
import { plainEnv, type Ran } from '../testing/ran.ts';

/** Keeps what it is told in a directory; writes down its arguments, which every user of the machine may read. */
const HELPER = `#!/bin/sh
cd "$(dirname "$0")/kept" || exit 1
echo "$*" >> ../arguments
case "$1" in
store) cat > pending; mv pending "$(tr -dc a-z0-9 < pending | cut -c1-60)"; ;;
list) printf '{'; first=; for f in *; do test -f "$f" || continue; printf '%s' "$first"; sed 's/.*"ServerURL":\\("[^"]*"\\).*"Username":\\("[^"]*"\\).*/\\1:\\2/' "$f"; first=,; done; printf '}' ;;
get|erase) server=$(cat); file=$(grep -lF "\\"ServerURL\\":\\"$server\\"" * 2>/dev/null | head -1)
  test -n "$file" || { printf 'credentials not found in native keychain\\n'; exit 1; }
  if test "$1" = get; then cat "$file"; else rm "$file"; fi ;;
esac
`;

function commandLine(pid: string): string {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** What a login without a question ends with. */
const AGAIN = {
  code: 0,
  stdout: expect.stringContaining('Login Succeeded\n'),
  stderr: expect.stringContaining('Authenticating with existing credentials...'),
};

describe.runIf(DebianRegistry.available())('skiff login (needs docker-registry)', () => {
  let engine: TestEngine;
  let registry: DebianRegistry;
  let directory: string;
  let env: NodeJS.ProcessEnv;
  let config: string;

  beforeAll(async () => {
    engine = await TestEngine.start();
    registry = await DebianRegistry.start({ login: true });
  });
  afterAll(async () => {
    await registry?.close();
    await engine?.destroy();
  });
  beforeEach(({ onTestFinished }) => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-login-'));
    onTestFinished(() => fs.rmSync(directory, { recursive: true }));
    fs.writeFileSync(path.join(directory, 'docker-credential-shelf'), HELPER, { mode: 0o755 });
    fs.mkdirSync(path.join(directory, 'kept'));
    env = plainEnv({ DOCKER_CONFIG: directory, PATH: `${directory}:${process.env.PATH}` });
    config = path.join(directory, 'config.json');
  });

  const skiff = (...args: string[]) => engine.skiff(args, { env });
  const login = (program: 'skiff' | 'docker', input = PASSWORD): Promise<Ran> =>
    engine[program](['login', '-u', USER, '--password-stdin', registry.host], { env, input });
  const read = () => JSON.parse(fs.readFileSync(config, 'utf8'));
  const write = (document: unknown) => fs.writeFileSync(config, JSON.stringify(document));

  test('keeps a login in the file and the form that docker reads', async () => {
    const { code, stdout, stderr } = await login('skiff', `${PASSWORD}\n`);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'Login Succeeded\n' });
    expect(stderr).toContain(config);
    expect(read().auths).toEqual({ [registry.host]: { auth: Buffer.from(`${USER}:${PASSWORD}`).toString('base64') } });
    expect(fs.statSync(config).mode & 0o777).toBe(0o600);
    // Without a question: docker finds it there.
    expect(await engine.docker(['login', registry.host], { env })).toMatchObject(AGAIN);
  });

  test('finds what docker has kept, and asks nothing', async () => {
    expect((await login('docker')).code).toBe(0);
    expect(await skiff('login', registry.host)).toMatchObject(AGAIN);
  });

  test('a wrong password is refused by the registry’s own reason, kept nowhere and repeated nowhere', async () => {
    for (const program of ['skiff', 'docker'] as const) {
      const { code, stdout, stderr } = await login(program, 'wrong-one');
      expect(code).toBe(1);
      expect(stderr).toMatch(/cannot log in .*unauthorized/);
      expect(stderr).toContain(registry.host);
      expect(stdout + stderr).not.toContain('wrong-one');
    }
    expect(fs.existsSync(config) ? read().auths : undefined).toBeFalsy();
  });

  test('leaves everything else of the file as it is, and a link a link', async () => {
    const target = path.join(directory, 'real.json');
    fs.writeFileSync(target, '{"psFormat":"x","auths":{"other.example":{"auth":"YTpi"}},"HttpHeaders":{"A":"b"}}', {
      mode: 0o640,
    });
    fs.symlinkSync(target, config);
    await login('skiff');
    expect(read()).toMatchObject({
      psFormat: 'x',
      HttpHeaders: { A: 'b' },
      auths: { 'other.example': { auth: 'YTpi' } },
    });
    expect(fs.lstatSync(config).isSymbolicLink()).toBe(true);
    expect(fs.statSync(target).mode & 0o777).toBe(0o640);
    expect(await skiff('logout', `https://${registry.host}/v2/`)).toMatchObject({
      code: 0,
      stdout: `Removing login credentials for ${registry.host}\n`,
    });
    expect(read().auths).toEqual({ 'other.example': { auth: 'YTpi' } });
    expect((await skiff('logout', registry.host)).stderr).toBe(`Not logged in to ${registry.host}\n`);
  });

  test.each([['credsStore'], ['credHelpers']])(
    'a helper named by %s keeps it, for skiff and for docker',
    async (name) => {
      write(name === 'credsStore' ? { credsStore: 'shelf' } : { credHelpers: { [registry.host]: 'shelf' } });
      expect((await login('skiff')).code).toBe(0);
      expect(fs.readFileSync(config, 'utf8')).not.toContain(Buffer.from(`${USER}:${PASSWORD}`).toString('base64'));
      expect(await engine.docker(['login', registry.host], { env })).toMatchObject(AGAIN);
      expect(await skiff('login', registry.host)).toMatchObject(AGAIN);
      expect(fs.readFileSync(path.join(directory, 'arguments'), 'utf8')).toMatch(/^(?:store|get|erase|list)$/m);
      expect(fs.readFileSync(path.join(directory, 'arguments'), 'utf8')).not.toContain('horse');
      expect((await skiff('logout', registry.host)).code).toBe(0);
      expect(fs.readdirSync(path.join(directory, 'kept'))).toEqual([]);
      expect(read().auths).toEqual({});
    },
  );

  test('a helper that is not there, and a file that makes no sense, are named', async () => {
    write({ credsStore: 'nowhere' });
    expect((await login('skiff')).stderr).toContain('docker-credential-nowhere is not installed');
    write({ credsStore: '../../bin/sh' });
    expect((await login('skiff')).stderr).toContain('is not the name of a credential helper');
    fs.writeFileSync(config, `{"auths": {"x": {"auth": "secret"`);
    const { code, stderr } = await login('skiff');
    expect({ code, named: stderr.includes(config), quoted: stderr.includes('secret') }).toEqual({
      code: 1,
      named: true,
      quoted: false,
    });
    write({ auths: { [registry.host]: { auth: 'bm9jb2xvbg==' } } });
    expect((await skiff('login', registry.host)).stderr).toContain(`run skiff login ${registry.host}`);
  });

  test('refuses combinations that docker refuses', async () => {
    const refused = async (...args: string[]) => (await skiff('login', ...args, registry.host)).stderr;
    expect(await refused('-u', 'x', '-p', 'y', '--password-stdin')).toContain('mutually exclusive');
    expect(await refused('--password-stdin')).toContain('Must provide --username');
    expect(await refused()).toContain('non TTY');
  });

  test('takes a password as an argument, with a warning, and writes over it', async () => {
    // While the registry has not answered yet, everybody may look at the process.
    let seen = '';
    const server = http.createServer((_request, response) => {
      seen = fs
        .readdirSync('/proc')
        .filter((pid) => /^\d+$/.test(pid))
        .map((pid) => commandLine(pid))
        .filter((line) => line.includes('skiff') && line.includes('login'))
        .join('\n');
      response.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const { code, stderr } = await skiff('login', '-u', 'ada', '-p', 'seen-by-nobody', host);
      expect(code).toBe(0);
      expect(stderr).toContain('--password-stdin');
      expect(seen).toContain('login');
      expect(seen).not.toContain('seen-by');
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test('a registry that is not there is named', async () => {
    const { code, stderr } = await engine.skiff(['login', '-u', 'a', '--password-stdin', '127.0.0.1:1'], {
      env,
      input: 'hidden',
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/cannot log in \(registry 127\.0\.0\.1:1\).*refused/);
    expect(stderr).not.toContain('hidden');
  });
});
