import os from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { resolveLocation } from './location.ts';

describe('the engine', () => {
  test('of root is under /var/lib, of others under the data home', () => {
    expect(resolveLocation({}, {}, 0)).toEqual({
      root: '/var/lib/skiff',
      socket: '/var/lib/skiff/run/skiff.sock',
      startable: true,
    });
    expect(resolveLocation({}, { XDG_DATA_HOME: '/data' }, 1000).root).toBe('/data/skiff');
    expect(resolveLocation({}, {}, 1000).root).toBe(path.join(os.homedir(), '.local/share/skiff'));
  });

  test('is where --root says before SKIFF_ROOT and SKIFF_HOST', () => {
    const env = { SKIFF_ROOT: '/from/env', SKIFF_HOST: 'unix:///other.sock' };
    expect(resolveLocation({ root: '/opt' }, env, 0).socket).toBe('/opt/run/skiff.sock');
    expect(resolveLocation({}, { SKIFF_ROOT: '/from/env' }, 0).root).toBe('/from/env');
  });

  test('that is known by its socket alone is never started', () => {
    expect(resolveLocation({ host: 'unix:///x.sock' }, {}, 0)).toMatchObject({ socket: '/x.sock', startable: false });
    expect(resolveLocation({}, { SKIFF_HOST: 'unix:///x.sock' }, 0)).toMatchObject({ startable: false });
    expect(resolveLocation({ root: '/r', socket: '/x.sock' }, {}, 0)).toEqual({
      root: '/r',
      socket: '/x.sock',
      startable: true,
    });
  });

  test('is reached over unix sockets only', () => {
    expect(() => resolveLocation({ host: 'tcp://1.2.3.4' }, {}, 0)).toThrow('write unix:// and the path');
  });
});
