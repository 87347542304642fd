/** The list of tags as a registry tells it, page by page. */

import { spawnSync } from 'node:child_process';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import type { RegistryResponse, Transport } from '../contract/transport.ts';
import { listTags } from './tags.ts';

const where = { registry: 'registry.example', repository: 'some/name' };

function answer(tags: string[], link?: string): RegistryResponse {
  const body = Readable.from([Buffer.from(JSON.stringify({ tags }))]);
  return { status: 200, headers: link === undefined ? {} : { link }, body, discard: async () => {} };
}

test.each([
  ['</v2/some/name/tags/list?last=a>; rel="next"', '/v2/some/name/tags/list?last=a'],
  ['</v2/some/name/tags/list?last=a>;rel=next', '/v2/some/name/tags/list?last=a'],
  ['<https://registry.example/x?last=a> ; REL="next"', 'https://registry.example/x?last=a'],
  ['<?n=1&last=a>; rel="next"', 'tags/list?n=1&last=a'],
  ['<list?last=a>; rel="next"', 'tags/list?last=a'],
  ['</first>; rel="first", </next>; rel="next"', '/next'],
  ['</next>; title="one, two"; rel="next"', '/next'],
  ['</first>; rel="first"', undefined],
  ['</next>; rel="nextish"', undefined],
  ['</next; rel="next"', undefined],
  ['next', undefined],
  ['', undefined],
])('the Link header %j leads to %s', async (link, next) => {
  const asked: string[] = [];
  const transport: Transport = async ({ path }) => {
    asked.push(path);
    return answer([`tag${asked.length}`], asked.length === 1 ? link : undefined);
  };
  await listTags(transport, where, new AbortController().signal);
  expect(asked).toEqual(['tags/list', ...(next === undefined ? [] : [next])]);
});

/** Reads the tags of a registry that gives one page, with a Link of a megabyte. */
const PROGRAM = `
const { listTags } = await import(process.argv[1]);
const [front, unit, end] = JSON.parse(process.argv[2]);
const link = front + unit.repeat(Math.ceil(1_000_000 / unit.length)) + end;
const body = { async *[Symbol.asyncIterator]() { yield Buffer.from('{"tags":["one"]}'); } };
const pages = [{ status: 200, headers: { link }, body }, { status: 200, headers: {}, body }];
console.log(await listTags(async () => pages.shift(), {}, new AbortController().signal));
`;

// setrlimit(2), RLIMIT_CPU: seconds of the processor for all of it, however long that takes on a busy machine. A reading whose
// steps grow with the square of the length has 10^12 of them.
test.each([
  ['', '<', ''],
  ['', '<>;', ''],
  ['', '</a>; rel="prev", ', ''],
  ['</a>', '; ', 'rel'],
  ['</a>;', ' ', 'x'],
  ['</a>; ', 'rel=', '"'],
  ['</a', ' ', '>'],
])('a Link header of %j, a megabyte of %j and %j is read in linear time', (...texts) => {
  const command = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', PROGRAM];
  const file = new URL('tags.ts', import.meta.url).href;
  const limited = ['-c', 'ulimit -t 30 && exec "$0" "$@"', ...command, file, JSON.stringify(texts)];
  const { stdout, stderr, signal } = spawnSync('sh', limited, { encoding: 'utf8' });
  expect([signal, stdout, stderr]).toEqual([null, "[ 'one' ]\n", '']);
});
