/** The table of nftables against programs that hang, fail, or flush it. */

import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { hasTable } from './netlink/set-elements.ts';
import { runNft } from './nft.ts';
import { RuleTable } from './rule-table.ts';
import { everyTestHasAHost, guest, network, openHost, outside, test as the } from './testing/host.ts';

everyTestHasAHost();

test('an nft that does not end is killed, and the error says so', async () => {
  const hanging = path.join(import.meta.dirname, 'testdata', 'hanging-nft.sh');
  await expect(runNft('', hanging, 300)).rejects.toThrow(/did not end within 0\.3 s and was killed/);
});

test('a change that nft refuses is not the failure of one that came with it', async () => {
  const runs: string[] = [];
  const run = (commands: string) => {
    runs.push(commands);
    return runNft(commands);
  };
  const rules = new RuleTable({ table: 'skiff-test', run, outer: () => ({}) });
  const [good, bad, last] = [network(20), network(21, { bridge: '"' }), network(22)];
  const answers = await Promise.allSettled([good, bad, last].map((each) => rules.setNetwork(each)));
  expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(answers[1]).toMatchObject({ reason: { message: expect.stringContaining('nft failed') } });
  expect(runs).toHaveLength(4);
  expect([good, bad, last].map((each) => rules.has(each))).toEqual([true, false, true]);
  const listed = String(execFileSync('nft', ['list', 'table', 'inet', 'skiff-test']));
  expect(listed).toMatch(/set bridges \{[^}]*"br20"[^}]*"br22"/s);
  await rules.remove();
});

test('rules that somebody flushed come back by themselves, and it is told', async () => {
  const told: string[] = [];
  the.host = openHost({ lookEvery: 50, warn: (message) => told.push(message) });
  const net = network(20);
  await the.host.raise(net);
  const machine = outside();
  await machine.listen('tcp', 80);
  const a = guest(net, '172.20.0.2/16');
  await runNft('flush ruleset\n');
  await vi.waitFor(() => expect(told).toEqual([expect.stringMatching(/were gone.*made anew/)]), 10_000);
  expect(await a.ask('tcp', '192.0.2.2', 80)).toBe('from 192.0.2.1');
  the.host.close();
  await runNft('flush ruleset\n');
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(hasTable('skiff-test')).toBe(false);
});
