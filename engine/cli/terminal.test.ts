import fs from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { endDaemon } from './testing/daemon-process.ts';
import { TestEngine } from './testing/engine.ts';
import { bundle } from './testing/ran.ts';
import { Terminal } from './testing/terminal.ts';
import { canRunContainers, has } from './testing/tools.ts';

const possible = canRunContainers && has('tmux');
let engine: TestEngine;
let terminal: Terminal;

beforeAll(async () => {
  if (possible) engine = await TestEngine.start();
});

beforeEach(async () => {
  if (!possible) return;
  terminal = new Terminal(100, 30);
  await terminal.shows(/^outside: $/);
  terminal.enter(
    `skiff() { '${process.execPath}' -- '${bundle}' --root '${engine.root}' "$@"; }; stty -a > ${settings('before')}`,
  );
  await terminal.shows(/stty-before\noutside: $/);
});

afterEach(async () => {
  terminal?.close();
  await engine?.removeContainers();
});

afterAll(async () => {
  await engine?.destroy();
});

function settings(when: string): string {
  return path.join(engine.root, `stty-${when}`);
}

/** The terminal is as it was before the first command, and `skiff` answered with `code`. */
async function expectRestored(code: number): Promise<void> {
  await terminal.shows(/outside: $/m);
  terminal.enter(`echo "code=$?"; stty -a > ${settings('after')}; echo "do""ne"`);
  expect((await terminal.shows(/code=(\d+)$/m))[1]).toBe(String(code));
  await terminal.shows(/^done$/m);
  const [before, after] = ['before', 'after'].map((when) =>
    fs.readFileSync(settings(when), 'utf8').replace(/^speed.*/, ''),
  );
  expect(after).toBe(before);
}

/** The prompt of the shell in the container. */
const INSIDE = /^(\/ )?[#$] $/m;
const START = 'skiff run -it --network none --name box hostbox sh';

describe.skipIf(!possible)('run -it', () => {
  test('is a terminal of the size of ours and follows it', async () => {
    terminal.enter(START);
    await terminal.shows(INSIDE);
    terminal.enter('tty; stty size');
    await terminal.shows(/^\/dev\/(pts\/0|console)$/m);
    await terminal.shows(/^30 100$/m);
    terminal.resize(70, 20);
    terminal.enter("trap 'echo resized to $(stty size)' WINCH; sleep 0.3; stty size");
    await terminal.shows(/20 70$/m);
    terminal.enter('exit 7');
    terminal.resize(100, 30);
    await expectRestored(7);
  });

  test('gives control characters to the program inside', async () => {
    terminal.enter(START);
    await terminal.shows(INSIDE);
    terminal.enter('sh -c \'echo "runn""ing"; exec sleep 1000\'');
    await terminal.shows(/^running$/m);
    terminal.press('C-c');
    await terminal.shows(/\^C\n(\/ )?[#$] $/);
    terminal.enter('echo "still ""here"');
    await terminal.shows(/^still here$/m);
    terminal.press('C-d');
    await expectRestored(0);
  });

  test('lets a full-screen program have the screen as it likes: a line feed only goes down', async () => {
    terminal.enter(`${START} -c 'stty raw; printf "one\\ntwo\\r\\nthree"; stty sane; printf "\\r\\n"'`);
    await terminal.shows(/^one\n {3}two\nthree$/m);
    await expectRestored(0);
  });

  test('is left by the detach keys, goes on, and is attached again', async () => {
    terminal.enter(START);
    await terminal.shows(INSIDE);
    terminal.enter('kept=value');
    terminal.press('C-p', 'C-q');
    await expectRestored(0);
    expect((await engine.skiff(['ps', '--format', '{{.Names}} {{.State}}'])).stdout).toBe('box running\n');
    terminal.clear();
    terminal.enter('skiff attach box');
    terminal.press('Enter');
    await terminal.shows(INSIDE);
    terminal.enter('echo "still $kept"; exit 3');
    await terminal.shows(/^still value$/m);
    await expectRestored(3);
  });

  test('takes other detach keys', async () => {
    terminal.enter(START.replace('-it', '-it --detach-keys ctrl-x,x'));
    await terminal.shows(INSIDE);
    terminal.press('C-x');
    terminal.type('x');
    await expectRestored(0);
  });

  test('restores the terminal when it cannot start', async () => {
    terminal.enter('skiff run -it --rm --network none hostbox no-such-program');
    await terminal.shows(/no-such-program.*not found/);
    await expectRestored(127);
  });

  test('restores the terminal when the daemon dies', async () => {
    terminal.enter(START);
    await terminal.shows(INSIDE);
    await endDaemon(engine.root, 'SIGKILL');
    await terminal.shows(/The daemon went away/);
    await expectRestored(125);
    await engine.stopDaemon();
    await engine.startDaemon();
  });
});

describe.skipIf(!possible)('exec -it', () => {
  test('has a terminal, and a command that is told to end restores ours', async () => {
    await engine.skiff(['run', '-d', '--network', 'none', '--name', 'box', 'hostbox', 'sleep', '1000']);
    terminal.enter(
      `(sh -c 'echo $PPID' > ${settings('pid')}; exec '${process.execPath}' -- '${bundle}' --root '${engine.root}' exec -it box sh)`,
    );
    await terminal.shows(INSIDE);
    terminal.enter('tty; stty size; echo "in""side"');
    await terminal.shows(/^inside$/m);
    expect(terminal.screen()).toMatch(/^30 100$/m);
    process.kill(Number(fs.readFileSync(settings('pid'), 'utf8')), 'SIGTERM');
    await terminal.shows(/Terminated/);
    await expectRestored(143);
  });
});
