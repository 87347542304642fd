import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Clone, makeClone } from './testing/clone.ts';
import { openTerminal, terminalMissing } from './testing/terminal.ts';

const FILE = 'labs/00-what-is-a-container/membership.ts';
const SOLUTION = 'solutions/00-what-is-a-container/membership.ts';
const env = { WORKSHOP_NO_INSTALL: '1' };

let clone: Clone;
beforeAll(() => {
  clone = makeClone();
  expect(clone.run('workshop', 'list')).toMatchObject({ status: 0, stderr: '' });
});
beforeEach((context) => {
  if (terminalMissing !== null) context.skip(terminalMissing);
  clone.forget();
});
afterAll(() => clone?.remove());

describe('the menu', () => {
  test('shows the map and the next step, is walked with arrow keys, and comes back after a command', async () => {
    using terminal = openTerminal('./workshop', { cwd: clone.home, env, rows: 60 });
    const first = await terminal.until(/❯ start what-is-a-container/);
    expect(first).toContain('18 capstone');
    terminal.press('Down', 'Down');
    await terminal.until(/❯ watch what-is-a-container/);
    terminal.press('Up', 'Up', 'Enter');
    await terminal.until(/Write {2}labs\/00-what-is-a-container[\s\S]*❯ check what-is-a-container/);
    expect(clone.read('.workshop/progress.txt')).toMatch(/^current +what-is-a-container$/m);
  });

  test('a lab is chosen from the list, where those to come are grey and cannot be chosen', async () => {
    using terminal = openTerminal('./workshop', { cwd: clone.home, env, rows: 60 });
    await terminal.until(/❯ start/);
    for (let pressed = 0; !/❯ choose a lab/.test(terminal.screen()); pressed++) {
      expect(pressed, terminal.screen()).toBeLessThan(8);
      terminal.press('Down');
      await terminal.until(/❯/);
    }
    terminal.press('Enter');
    expect(await terminal.until(/Which lab\?/)).toMatch(/- . 18 .*\(to come\)/);
    terminal.press('Down', 'Enter');
    await terminal.until(/Write {2}labs\/01-process/);
    expect(clone.read('.workshop/progress.txt')).toMatch(/^current +process$/m);
  });

  test('fits a terminal of 80 by 24 with its question, and after a resize still answers', async () => {
    using terminal = openTerminal('./workshop', { cwd: clone.home, env, columns: 80, rows: 24 });
    const screen = await terminal.until(/❯ start what-is-a-container/);
    expect(screen).toContain('What next?');
    terminal.resize(60, 20);
    terminal.press('Down');
    await terminal.until(/❯ check what-is-a-container/);
  });

  test('Escape does nothing, Ctrl-C leaves with 0', async () => {
    using terminal = openTerminal('./workshop', { cwd: clone.home, env });
    await terminal.until(/❯ start/);
    terminal.press('Escape');
    terminal.press('Down');
    await terminal.until(/❯ check/);
    terminal.press('C-c');
    await terminal.until(/ended with 0/);
  });
});

describe('watch', () => {
  test('checks at every save, answers keys, redraws when the window changes, and gives the terminal back', async () => {
    using terminal = openTerminal('./workshop watch 0; stty -a', { cwd: clone.home, env, columns: 90 });
    await terminal.until(/not written yet[\s\S]*1-9 one task {3}a all {3}h hint {3}d diff {3}r rerun {3}q quit/);
    terminal.press('h');
    await terminal.until(/Task 1 is not written yet: labs\/00-what-is-a-container/);
    terminal.press('h');
    await terminal.until(/Hint 1 of 3/);

    terminal.resize(50, 30);
    // What was drawn for 90 columns would be broken within words.
    expect(await terminal.until(/Hint 1 of 3/)).toContain('Ask again for a bigger hint');

    terminal.press('r');
    await terminal.until(/0 of \d+ points[\s\S]*verdict after/);
    clone.write(FILE, clone.read(SOLUTION));
    await terminal.until(/All of it passes[\s\S]*n next lab/);
    terminal.press('n');
    // The title has moved off the screen where the reds are many.
    await terminal.until(/Lab 01 |labs\/01-process/);
    expect(clone.read('.workshop/progress.txt')).toMatch(/^current +process$/m);
    terminal.press('q');
    const after = await terminal.until(/ended with 0/);
    expect(after).toMatch(/(?<!-)icanon/);
    expect(after).toMatch(/(?<!-)echo\b/);
  });

  test('without a terminal prints a verdict after each save until it is told to stop', async () => {
    const child = clone.start('workshop', ['watch', '0'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    const waiting: { pattern: RegExp; met: () => void }[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        text += chunk;
        for (const { pattern, met } of waiting) if (pattern.test(text)) met();
      });
    }
    const until = (pattern: RegExp) => new Promise<void>((met) => waiting.push({ pattern, met }));
    const ended = new Promise((resolve) => child.once('close', resolve));
    await until(/not written yet[\s\S]*verdict after/);
    clone.write(FILE, clone.read(SOLUTION));
    await until(/All of it passes[\s\S]*verdict after/);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(text).not.toContain('\x1b');
  });
});
