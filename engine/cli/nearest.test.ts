import { expect, test } from 'vitest';
import { nearest } from './nearest.ts';

const commands = ['run', 'exec', 'ps', 'images', 'inspect', 'rm', 'rmi', 'logs', 'container'];

test.each([
  ['rnu', 'run'],
  ['psx', 'ps'],
  ['image', 'images'],
  ['insepct', 'inspect'],
  ['log', 'logs'],
  ['containers', 'container'],
])('%s is a slip of %s', (word, meant) => {
  expect(nearest(word, commands)).toBe(meant);
});

test.each(['swarm', 'x', 'foo', 'networks'])('%s is not like any command', (word) => {
  expect(nearest(word, commands)).toBeUndefined();
});
