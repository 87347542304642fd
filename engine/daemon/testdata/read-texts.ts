/**
 * Reads texts as the daemon reads those that come from outside: lines `[reader, text]` come in, for each a line with the
 * milliseconds of processor time that it took goes out.
 */

import { createInterface } from 'node:readline';
import { copyOf } from '../../image/build/copy-step.ts';
import { findSources, ignoreFilter } from '../../image/build/build.ts';
import { changeOf } from '../../image/build/config-step.ts';
import { parseDockerfile } from '../../image/build/dockerfile.ts';
import { expand } from '../../image/build/expand.ts';
import { runOf } from '../../image/build/run-step.ts';
import { expandText } from '../../image/build/variables.ts';
import { splitWords } from '../../image/build/words.ts';
import { parseReference } from '../../image/reference.ts';
import { parseJsonBody } from '../body.ts';
import { globMatches } from '../../image/glob.ts';
import { namePatterns } from '../name-pattern.ts';
import { Query } from '../query.ts';

/** A name as long as a file system has them. */
const NAME = 'a'.repeat(255);
const PATH = Array.from({ length: 15 }, () => NAME).join('/');
const identity = (text: string) => text;

const READERS: Record<string, (text: string) => unknown> = {
  dockerfile: (text) => {
    for (const instruction of parseDockerfile(text, 'Dockerfile').instructions) {
      if (['COPY', 'ADD'].includes(instruction.keyword)) copyOf(instruction, '\\', identity, identity);
      else if (instruction.keyword === 'RUN') runOf(instruction, {}, identity);
      else changeOf(instruction, '\\', identity);
    }
  },
  ignore: (text) => ignoreFilter(text)(PATH),
  pattern: (text) =>
    findSources({ entry: () => ({ type: 'directory' }), names: () => [NAME, `${NAME}b`] }, text.slice(0, 4096)),
  glob: (text) => globMatches(text, PATH),
  expand: (text) => expand(text, { A: NAME, B: text.slice(0, 4096) }),
  trim: (text) => expand(`\${A##${text.replaceAll('}', '')}}\${A//${text.replaceAll(/[}/]/g, '')}/x}`, { A: NAME }),
  heredoc: (text) => expandText(text, { A: NAME }),
  words: (text) => splitWords(text, '\\'),
  reference: (text) => parseReference(text),
  name: (text) => namePatterns('name', [text.slice(0, 256)])(NAME),
  body: (text) => parseJsonBody(Buffer.from(text)),
  filters: (text) => new Query(`filters=${encodeURIComponent(text)}`).filters(['name', 'label']),
};

for await (const line of createInterface({ input: process.stdin })) {
  const [reader, text] = JSON.parse(line) as [string, string];
  const before = process.cpuUsage();
  try {
    READERS[reader]!(text);
  } catch {
    // Most of what comes is refused.
  }
  const { user, system } = process.cpuUsage(before);
  process.stdout.write(`${(user + system) / 1000}\n`);
}
