import { expect, test } from 'vitest';
import { nearest } from './nearest.ts';

const labs = ['what-is-a-container', 'process', 'namespaces', 'rootfs'];

test.each([
  ['proces', 'process'],
  ['namspace', 'namespaces'],
  ['what', 'what-is-a-container'],
  ['rotofs', 'rootfs'],
  ['kubernetes', undefined],
])('"%s" was meant to be %s', (typed, meant) => {
  expect(nearest(typed, labs)).toBe(meant);
});
