import { expect, test } from 'vitest';
import { type LifeEvent, nextStatus, type Status } from './state.ts';

const walk = (...events: LifeEvent[]) =>
  events.reduce<Status | null>((status, event) => status && nextStatus(status, event), 'created');

test('a container lives: start, exit, start again, exit, remove', () => {
  expect(walk('start')).toBe('running');
  expect(walk('start', 'exit')).toBe('exited');
  expect(walk('start', 'exit', 'start', 'exit', 'remove')).toBe('removing');
});

test('a start that failed leaves a container as it was', () => {
  expect(walk('start-failed')).toBe('created');
  expect(walk('start', 'exit', 'start-failed')).toBe('exited');
});

test('a running container cannot be started, nor removed without being stopped', () => {
  expect(nextStatus('running', 'start')).toBeNull();
  expect(nextStatus('running', 'remove')).toBeNull();
});

test('an exit is the end of a running container and of no other', () => {
  for (const status of ['created', 'exited', 'dead', 'removing'] as const)
    expect(nextStatus(status, 'exit')).toBeNull();
});

test('one that is to start again does, or stays where its end has left it', () => {
  expect(walk('start', 'exit', 'back-off')).toBe('restarting');
  expect(walk('start', 'exit', 'back-off', 'start')).toBe('running');
  expect(walk('start', 'exit', 'back-off', 'start-failed')).toBe('exited');
  expect(walk('start', 'exit', 'back-off', 'give-up')).toBe('exited');
  for (const event of ['pause', 'exit', 'remove'] as const) expect(nextStatus('restarting', event)).toBeNull();
});

test('what could not be removed is dead, cannot be started, and can be removed again', () => {
  expect(walk('remove', 'remove-failed')).toBe('dead');
  expect(nextStatus('dead', 'start')).toBeNull();
  expect(walk('remove', 'remove-failed', 'remove')).toBe('removing');
});

test('a paused container goes on or ends, and does nothing else', () => {
  expect(walk('start', 'pause')).toBe('paused');
  expect(walk('start', 'pause', 'unpause')).toBe('running');
  expect(walk('start', 'pause', 'exit')).toBe('exited');
  for (const event of ['start', 'pause', 'remove'] as const) expect(nextStatus('paused', event)).toBeNull();
  expect(nextStatus('running', 'unpause')).toBeNull();
});
