import type { Readable } from 'node:stream';
import { parseJson } from './format/json-text.ts';

/** The JSON documents of a stream that has one a line. @throws SyntaxError */
export async function* documents(source: Readable): AsyncGenerator<{ document: unknown; text: string }> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of source) {
    rest += decoder.decode(chunk as Buffer, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') yield { document: parseJson(line), text: line.trim() };
  }
  if (rest.trim() !== '') yield { document: parseJson(rest), text: rest.trim() };
}
