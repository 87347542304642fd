import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ago, humanDuration, parseDuration } from './duration.ts';
import { ellipsis, shortId } from './ellipsis.ts';
import { indentJson, parseJson } from './json-text.ts';
import { displayPorts } from './ports.ts';
import { bytesSize, humanSize, parseBytes } from './size.ts';
import { layOut } from './table.ts';

const [MINUTE, HOUR, DAY] = [60, 3600, 86400];

describe('durations', () => {
  test.each([
    [0.9, 'Less than a second'],
    [1, '1 second'],
    [59, '59 seconds'],
    [MINUTE, 'About a minute'],
    [2 * MINUTE - 1, 'About a minute'],
    [59 * MINUTE, '59 minutes'],
    [HOUR, 'About an hour'],
    [1.6 * HOUR, '2 hours'],
    [47 * HOUR, '47 hours'],
    [2 * DAY, '2 days'],
    [14 * DAY, '2 weeks'],
    [60 * DAY, '2 months'],
    [365 * 2 * DAY, '2 years'],
  ])('%d s are %s', (seconds, text) => {
    expect(humanDuration(seconds)).toBe(text);
  });

  test('do not lie in the future when clocks differ', () => {
    expect(ago(100, 90)).toBe('Less than a second ago');
  });

  test('are read as Go reads them', () => {
    expect(parseDuration('1h30m')).toBe(5400);
    expect(parseDuration('1.5s')).toBe(1.5);
    expect(parseDuration('-2m')).toBe(-120);
    expect(parseDuration('250ms')).toBe(0.25);
    for (const wrong of ['', '5', 'm', '1h 2m', '2026-01-01']) expect(parseDuration(wrong)).toBeUndefined();
  });
});

describe('sizes', () => {
  test.each([
    [0, '0B'],
    [999, '999B'],
    [1000, '1kB'],
    [1982256, '1.98MB'],
    [1e9, '1GB'],
    [123456789012, '123GB'],
  ])('%d bytes are %s', (bytes, text) => {
    expect(humanSize(bytes, 3)).toBe(text);
  });

  test('of memory are powers of 1024', () => {
    expect(bytesSize(25276510208)).toBe('23.54GiB');
    expect(humanSize(1982256)).toBe('1.982MB');
  });

  test('are read in docker’s units', () => {
    expect(parseBytes('64m')).toBe(64 * 1024 ** 2);
    expect(parseBytes('1.5g')).toBe(1.5 * 1024 ** 3);
    expect(parseBytes('32MiB')).toBe(32 * 1024 ** 2);
    expect(parseBytes('2kb')).toBe(2048);
    expect(parseBytes('512')).toBe(512);
    for (const wrong of ['x', '', '-1', '1x', 'm', '1 2']) expect(parseBytes(wrong)).toBeUndefined();
  });
});

describe('tables', () => {
  test('have columns as wide as the widest cell and three spaces between them', async () => {
    expect(await layOut(['ID\tNAME', 'abcdefghij\tx'])).toBe('ID           NAME\nabcdefghij   x\n');
  });

  test('have no column narrower than ten', async () => {
    expect(await layOut(['A\tB\tC', '1\t2\t3'])).toBe('A         B         C\n1         2         3\n');
  });

  test('count a wide character as two columns and an ellipsis as one', async () => {
    expect(await layOut(['배를 만들자\tx', 'abc…\ty'])).toBe(`배를 만들자   x\nabc…${' '.repeat(10)}y\n`);
  });

  test('begin a new column where a line does not have it', async () => {
    expect(await layOut(['a very wide first cell\tx', 'none', 'b\ty'])).toBe(
      `a very wide first cell   x\nnone\nb${' '.repeat(9)}y\n`,
    );
  });
});

describe('JSON text', () => {
  test('keeps integers that a JavaScript number cannot hold', () => {
    const text = '{"limit":9223372036854775807,"text":"9223372036854775807","pi":3.1415926535897931,"n":-1}';
    expect(parseJson(text)).toEqual({ limit: 9223372036854775807n, text: '9223372036854775807', pi: Math.PI, n: -1 });
  });

  test('is indented without a change of any token', () => {
    expect(indentJson('{"2":18446744073709551615,"1":[1.0,"a, b: {"],"e":{},"l":[]}')).toBe(
      '{\n    "2": 18446744073709551615,\n    "1": [\n        1.0,\n        "a, b: {"\n    ],\n    "e": {},\n    "l": []\n}',
    );
  });

  test('is indented as JSON.stringify does it', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        expect(indentJson(text)).toBe(JSON.stringify(JSON.parse(text), null, 4));
      }),
    );
  });
});

test('ports are joined into ranges as docker shows them', () => {
  const tcp = (PrivatePort: number, PublicPort?: number, IP?: string) => ({ PrivatePort, PublicPort, IP, Type: 'tcp' });
  expect(displayPorts([tcp(80), tcp(81), tcp(443)])).toBe('80-81/tcp, 443/tcp');
  expect(displayPorts([tcp(80, 8080, '0.0.0.0'), tcp(80, 8080, '::')])).toBe('0.0.0.0:8080->80/tcp, [::]:8080->80/tcp');
  expect(displayPorts([tcp(80, 80, '0.0.0.0'), tcp(81, 81, '0.0.0.0')])).toBe('0.0.0.0:80-81->80-81/tcp');
  expect(displayPorts([])).toBe('');
});

test('ids and texts are cut', () => {
  expect(shortId('sha256:0123456789abcdef')).toBe('0123456789ab');
  expect(ellipsis('sleep 1000', 20)).toBe('sleep 1000');
  expect(ellipsis('a text that is longer than it may be', 20)).toBe('a text that is long…');
});
