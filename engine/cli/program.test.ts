import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { COMMANDS, GROUPS } from './commands.ts';
import { plainEnv, run, runSkiff } from './testing/ran.ts';

describe('help', () => {
  test('of every command has its usage, its options and examples', async () => {
    const helps = await Promise.all(COMMANDS.map(({ name }) => runSkiff([...name.split(' '), '--help'])));
    for (const [at, { code, stdout, stderr }] of helps.entries()) {
      const name = COMMANDS[at]?.name as string;
      expect(`${name}: ${code} ${stderr}`).toBe(`${name}: 0 `);
      expect(stdout).toContain(`Usage: skiff ${name}`);
      expect(stdout).toContain('--help');
      expect(stdout).toMatch(new RegExp(`Examples:\n(.*\n)*.*skiff( --root DIR)? ${name}`));
    }
  });

  test('alone, by --help and by help are the same list of every command', async () => {
    const [alone, flag, word] = await Promise.all([runSkiff([]), runSkiff(['--help']), runSkiff(['help'])]);
    expect(alone).toEqual(flag);
    expect(alone).toEqual(word);
    for (const { name, summary } of COMMANDS)
      expect(alone?.stdout.split('\n').map((line) => line.trim().replace(/ {2,}/, ' '))).toContain(
        `${name} ${summary}`,
      );
    expect((await runSkiff(['help', 'ps'])).stdout).toBe((await runSkiff(['ps', '--help'])).stdout);
  });

  test('of a group names its commands, and each of them is there', async () => {
    const { code, stdout } = await runSkiff(['container']);
    expect(code).toBe(0);
    for (const name of Object.keys(GROUPS.container ?? {})) expect(stdout).toMatch(new RegExp(`^ {2}${name}$`, 'm'));
    const targets = Object.values(GROUPS).flatMap((group) => Object.values(group));
    for (const name of targets) expect(COMMANDS.map((entry) => entry.name)).toContain(name);
  });
});

describe('a slip', () => {
  test.each([
    [['rnu'], 1, "unknown command: skiff rnu\nDid you mean 'skiff run'?"],
    [['container', 'lss'], 1, "Did you mean 'skiff container ls'?"],
    [['ps', '--al'], 125, 'unknown flag: --al\n(Did you mean --all?)'.replace(/[()]/g, '')],
    [['ps', '--root', '/x'], 125, 'It stands before the command: skiff --root'],
    [['--rot', '/x', 'ps'], 125, 'Did you mean --root?'],
    [['constructor'], 1, 'unknown command: skiff constructor'],
    [['container', 'toString'], 1, 'unknown command: skiff container toString'],
  ])('%j gets a sentence', async (args, code, sentence) => {
    const ran = await runSkiff(args);
    expect(ran.stderr).toContain(sentence);
    expect(ran.code).toBe(code);
    expect(ran.stdout).toBe('');
  });
});

test('--version names the product', async () => {
  expect((await runSkiff(['--version'])).stdout).toMatch(/^skiff version \d+\.\d+\.\d+\n$/);
});

describe('--mine', () => {
  /** A clone whose workshop prints what it was given and ends with 7. */
  async function withWorkshop(args: string[]): Promise<{ code: number | null; stdout: string }> {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-mine-'));
    try {
      const { bundle } = await import('./testing/ran.ts');
      fs.copyFileSync(bundle, path.join(folder, 'skiff.cjs'));
      const script = 'console.log(JSON.stringify(process.argv.slice(2))); process.exitCode = 7;';
      fs.writeFileSync(path.join(folder, 'workshop.cjs'), script);
      return await run(process.execPath, ['--', path.join(folder, 'skiff.cjs'), ...args], { env: plainEnv() });
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  }

  test.each([
    [
      ['--mine', 'run', 'hostbox', 'sh'],
      ['run-mine', '--', 'run', 'hostbox', 'sh'],
    ],
    [
      ['--root', '/d', '--mine=process,rootfs', 'run', '--rm', 'hostbox', 'x', '--mine'],
      ['run-mine', '--planks=process,rootfs', '--', '--root', '/d', 'run', '--rm', 'hostbox', 'x', '--mine'],
    ],
  ])('hands %j to the workshop', async (args, given) => {
    const { code, stdout } = await withWorkshop(args);
    expect(JSON.parse(stdout)).toEqual(given);
    expect(code).toBe(7);
  });
});
