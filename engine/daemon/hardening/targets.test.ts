/** Where mounts end up when the image, a volume's path, or somebody in the container has put links in the way; and the terminal. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerIsMissing, TestDaemon } from '../testing/test-daemon.ts';
import { attack } from './testing/attacker.ts';

const missing = process.getuid?.() === 0 ? dockerIsMissing() : 'needs root';

describe.skipIf(missing)(`targets of mounts${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let daemon: TestDaemon;
  /** A directory of the host that nobody may reach, and one that is shown to containers. */
  let host: string;
  let shown: string;
  beforeAll(async () => {
    daemon = await TestDaemon.start();
    host = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-targets-'));
    shown = path.join(host, 'shown');
    fs.mkdirSync(shown);
    fs.writeFileSync(path.join(shown, 'file'), 'shown');
  });
  afterAll(async () => {
    expect(await daemon?.destroy()).toEqual([]);
    if (host) fs.rmSync(host, { recursive: true, force: true });
  });

  /** An image of hostbox after the script. */
  async function imageAfter(script: string): Promise<string> {
    const { stdout } = await daemon.docker('run', '-d', 'hostbox', 'sh', '-c', `${script}; echo done; sleep 1000`);
    const id = stdout.trim();
    await expect.poll(async () => (await daemon.docker('logs', id)).stdout).toContain('done');
    const image = (await daemon.docker('commit', id)).stdout.trim();
    await daemon.docker('rm', '-f', id);
    return image;
  }
  const nothingOfTheHost = () => {
    expect(fs.readdirSync(host)).toEqual(['shown']);
    expect(fs.readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(host);
  };

  test('a volume whose target is a link of the image stays in the container', async () => {
    const image = await imageAfter(
      `mkdir -p ${host}; ln -s ${host} /absolute; ln -s ../../../../../..${host} /climbing; ln -s /proc/self/root${host} /magic`,
    );
    for (const link of ['absolute', 'climbing', 'magic']) {
      const target = `/${link}/made/here`;
      const { stdout, stderr } = await daemon.docker(
        ...['run', '--rm', '-v', `${shown}:${target}`, image, 'cat', `${target}/file`],
      );
      expect(`${stdout}${stderr}`, link).toMatch(/^shown$|refused|ELOOP|ENOENT|symbolic link/);
      nothingOfTheHost();
    }
  });

  test('an image whose /proc, /dev, /sys and /etc are links has its mounts nowhere else', async () => {
    const tree = ['proc', 'dev', 'sys', 'etc'].map((name) => `rm -rf /t/${name}; ln -s ${host} /t/${name}`).join('; ');
    const script = `mkdir /t; cp -a /bin /lib* /usr /t 2>/dev/null; ${tree}; tar -C /t -cf /t.tar .`;
    const { stdout } = await daemon.docker('run', '-d', 'hostbox', 'sh', '-c', `${script}; echo done; sleep 1000`);
    const id = stdout.trim();
    await expect.poll(async () => (await daemon.docker('logs', id)).stdout).toContain('done');
    await daemon.docker('cp', `${id}:/t.tar`, path.join(shown, 't.tar'));
    await daemon.docker('rm', '-f', id);
    const image = (await daemon.docker('import', path.join(shown, 't.tar'))).stdout.trim();
    expect(image).toMatch(/^sha256:/);
    const ran = await daemon.docker('run', '--rm', image, 'sh', '-c', 'cat /proc/1/comm /proc/kcore | head -c 100');
    nothingOfTheHost();
    // Either it does not start, or what it has there is its own, masks included.
    if (ran.code === 0) expect(ran.stdout).toBe('sh\n');
    else expect(ran.stderr).not.toBe('');
  });

  test('somebody who swaps a directory for a link while files are copied in reaches nothing outside', async () => {
    const swap = `mkdir -p /d/real ${host}; while :; do mv /d/real /d/away; ln -s ${host} /d/real; rm /d/real; mv /d/away /d/real; done`;
    const id = (await daemon.docker('run', '-d', 'hostbox', 'sh', '-c', swap)).stdout.trim();
    fs.writeFileSync(path.join(shown, 'copied'), 'x');
    for (let round = 0; round < 4; round++) {
      await daemon.docker('cp', path.join(shown, 'copied'), `${id}:/d/real/copied`);
      await daemon.docker('exec', '-w', '/d/real', id, 'sh', '-c', 'echo x >written');
      nothingOfTheHost();
    }
    await daemon.docker('rm', '-f', id);
  });

  test('a volume on /proc or in it does not replace what guards the kernel', async () => {
    for (const target of ['/proc', '/proc/sys', '/proc/self', '/proc/kcore']) {
      const ran = await daemon.docker('run', '--rm', '-v', `${shown}:${target}`, 'hostbox', 'true');
      expect(ran.code, `${target}: ${ran.stdout}${ran.stderr}`).not.toBe(0);
      expect(ran.stderr, target).toContain('/proc');
    }
    nothingOfTheHost();
  });

  test('what a program types into its terminal by TIOCSTI stays in that terminal', async () => {
    const script = `
      const terminal = fs.openSync('/dev/tty', 'r+');
      const typed = Buffer.from('x');
      answers.typed = call(nr(16, 29), terminal, 0x5412, typed);
      answers.device = fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\\n').some((line) => / \\/dev\\/pts .*devpts/.test(line)) ? 'own' : 'none';
      answers.outer = ['/dev/console', '/dev/tty1', '/dev/ttyS0', '/dev/vcs'].map((file) => opened(file, 'r+')).join();
    `;
    const answers = await attack(daemon, script, '-t');
    // Its own terminal takes it, or the kernel has turned it off; the client that is attached sits at another one.
    expect(answers.typed).toMatch(/^(ok|EIO|EPERM)$/);
    expect(answers.device).toBe('own');
    expect(answers.outer).toMatch(/^(ok|EIO|ENXIO),(ENOENT|EPERM),(ENOENT|EPERM),(ENOENT|EPERM)$/);
  });
});
