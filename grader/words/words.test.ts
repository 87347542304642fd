/** Short text is plain English: one reading must be enough. The chapters' long prose may have a voice of its own. */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { home } from '../harness/home.ts';
import { riddleIn } from './patterns.ts';
import { shortTextsOf } from './short-texts.ts';

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: home, encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && fs.existsSync(path.join(home, file)))
  .filter((file) => !/\/(testdata|wrong|correct)\/|^grader\/words\//.test(file));
const read = (file: string) => fs.readFileSync(path.join(home, file), 'utf8');

/** Paragraphs for pages, so that a sentence may be broken anywhere. */
function paragraphsOf(text: string) {
  let line = 1;
  return text.split(/\n\s*\n/).map((paragraph) => {
    const at = line;
    line += paragraph.split('\n').length + 1;
    return { line: at, text: paragraph.replace(/\n/g, ' ') };
  });
}

/** Of a chapter, whose prose has a voice of its own. */
function invariantsOf(chapter: string) {
  const from = chapter.indexOf('## Invariants');
  const before = chapter.slice(0, from).split('\n').length - 1;
  return paragraphsOf(chapter.slice(from, chapter.indexOf('\n## ', from))).map(({ line, text }) => ({
    line: line + before,
    text,
  }));
}

test('no comment, message, title or page of the reference has a riddle', () => {
  const texts = files.flatMap((file) => {
    if (/\.(ts|mjs)$/.test(file)) return shortTextsOf(read(file)).map((each) => ({ file, ...each }));
    if (/^docs\/.*\.md$|^README\.md$|^CONTRIBUTING\.md$/.test(file))
      return paragraphsOf(read(file)).map((each) => ({ file, ...each }));
    if (/\/lab\.json$/.test(file))
      return read(file)
        .split('\n')
        .map((text, index) => ({ file, line: index + 1, text }));
    if (/^labs\/.*\/README\.md$/.test(file)) return invariantsOf(read(file)).map((each) => ({ file, ...each }));
    return [];
  });
  expect(texts.length).toBeGreaterThan(9000);
  const riddles = texts.flatMap(({ file, line, text }) => {
    const riddle = riddleIn(text);
    return riddle === undefined ? [] : [`${file}:${line} "${riddle.found}": ${riddle.plainer}`];
  });
  expect(riddles.join('\n')).toBe('');
});

test.each([
  ['`--idle-exit takes a number of seconds, and "x" is none.`', true],
  ['the fill is nobody’s', true],
  ['on containers that run and on such that do not', true],
  ['is believed nothing, and whoever asks is told', true],
  ['a number that is none is refused', true],
  ['`--idle-exit` must be a number of seconds, not "x".', false],
  ['A negative --oom-score-adj needs root.', false],
  ['the process runs as nobody: 65534', false],
  ['There is no such container', false],
  ['the cache key "x" is no digest', true],
  ['those that are no lists', true],
  ['a name without a value; null where there is none', false],
  ['the message is for the one who asked', true],
  ['For who may not come back', true],
  ['Who is killed before this leaves a FIFO.', true],
  ['Who is process 1?', false],
  ['What was asked for instead of what there was', true],
])('%s', (text, isRiddle) => {
  expect(riddleIn(text) !== undefined).toBe(isRiddle);
});
