// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are variables of Dockerfiles
import { DockerfileParser } from 'dockerfile-ast';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseDockerfile } from './dockerfile.ts';
import { expandText } from './variables.ts';

const parse = (text: string) =>
  parseDockerfile(text, 'Dockerfile').instructions.map(({ line, keyword, flags, text: rest, heredocs }) => ({
    line,
    keyword,
    ...(flags.length > 0 && { flags }),
    rest,
    ...(heredocs.length > 0 && { heredocs }),
  }));

test('lines are joined, and comments and empty lines between them left out', () => {
  expect(parse('# a comment\nFROM a\n\nRUN b \\\n  # inside\n\n  && c\n  cmd ["d"]\n')).toEqual([
    { line: 2, keyword: 'FROM', rest: 'a' },
    { line: 4, keyword: 'RUN', rest: 'b   && c' },
    { line: 8, keyword: 'CMD', rest: '["d"]' },
  ]);
});

test('the escape directive makes a backtick continue lines, and only at the top', () => {
  expect(parse('# escape=`\nFROM a\nRUN b `\n c\\\n')).toEqual([
    { line: 2, keyword: 'FROM', rest: 'a' },
    { line: 3, keyword: 'RUN', rest: 'b  c\\' },
  ]);
  expect(parse('\n# escape=`\nFROM a\nRUN b\\\nc')[1]?.rest).toBe('bc');
  expect(() => parse('# escape=x\nFROM a')).toThrow(/Dockerfile:1: invalid ESCAPE/);
});

test('here-documents: quoted names expand nothing, a dash takes tabs away, several follow each other', () => {
  expect(parse('COPY <<A <<"B" <<-C /d/\na $x\nA\nb $x\nB\n\t\tc\n\tC\nRUN x')).toEqual([
    {
      line: 1,
      keyword: 'COPY',
      rest: '<<A <<"B" <<-C /d/',
      heredocs: [
        { name: 'A', expand: true, content: 'a $x\n' },
        { name: 'B', expand: false, content: 'b $x\n' },
        { name: 'C', expand: true, content: 'c\n' },
      ],
    },
    { line: 8, keyword: 'RUN', rest: 'x' },
  ]);
  expect(parse('RUN cat <<EOF \\\n && true\nbody\nEOF\nRUN b')[0]).toMatchObject({ rest: 'cat <<EOF  && true' });
});

test.each([
  ['E"O"F', 'EOF', false],
  ["'E O'F", 'E OF', false],
  ['"E\\"F"', 'E"F', false],
  ['\\EOF', 'EOF', true],
  ['E\\ F', 'E F', true],
  ['$E', '$E', true],
])('the here-document <<%s ends at %s', (written, name, expand) => {
  const [first] = parse(`RUN <<${written}\nx\n${name}\nRUN b`);
  expect(first?.heredocs).toEqual([{ name, expand, content: 'x\n' }]);
});

test('a trigger has a here-document where its instruction may have one', () => {
  expect(parse('ONBUILD COPY <<A /a\nx\nA\nRUN b')[0]?.heredocs).toHaveLength(1);
  expect(parse('ONBUILD CMD cat <<A\nRUN b')).toHaveLength(2);
});

test.each([
  ['$A "$A" \'$A\'', 'a "a" \'a\''],
  ['\\$A \\\\$A \\" \\n', '$A \\a " n'],
  ['${NONE:-"it\'s $A"} $NONE.', '"it\'s a" .'],
  ['`$A`', '`a`'],
])('in a here-document %s becomes %s', (text, result) => {
  expect(expandText(`${text}\n`, { A: 'a' })).toBe(`${result}\n`);
});

test('in a here-document a substitution that cannot be read is refused', () => {
  expect(() => expandText('${\n', {})).toThrow(/substitution/);
});

test('text that only looks like a here-document is left alone', () => {
  for (const text of ['echo "a <<EOF"', "echo 'a <<EOF b'", 'echo $((1<<2))', 'cat <<<word'])
    expect(parse(`RUN ${text}\nRUN b`)).toEqual([
      { line: 1, keyword: 'RUN', rest: text },
      { line: 2, keyword: 'RUN', rest: 'b' },
    ]);
});

test('flags are taken from the front', () => {
  expect(parse('COPY --from=x --chown="a b" --link a --b c')[0]).toEqual({
    line: 1,
    keyword: 'COPY',
    flags: [
      ['from', 'x'],
      ['chown', '"a b"'],
      ['link', undefined],
    ],
    rest: 'a --b c',
  });
});

test.each([
  ['', /no instructions/],
  ['# only a comment', /no instructions/],
  ['FROM a\nFORM b', /Dockerfile:2: unknown instruction: FORM/],
  ['FROM a\nRUN <<EOF\nx', /Dockerfile:2: unterminated heredoc: .*"EOF"/],
  [`FROM a\n${'RUN x\n'.repeat(3000)}`, /more than 2000 instructions/],
  [`FROM a\nRUN ${'x'.repeat(2_000_000)}`, /more than 1048576 bytes/],
])('%j is refused with its line', (text, message) => {
  expect(() => parse(text.slice(0, 3_000_000))).toThrow(message);
});

const words = fc
  .stringMatching(/^[a-z0-9 ="'$/.-]{1,12}$/)
  .filter((text) => /^[^\s"'-]/.test(text) && text.trim() === text);
const instruction = fc
  .tuple(
    fc.constantFrom('RUN', 'run', 'ENV', 'LABEL', 'COPY', 'CMD'),
    fc.array(words, { minLength: 1, maxLength: 4 }),
    fc.constantFrom(' \\\n', ' \\\n# comment\n', ' \\  \n\t', ' '),
  )
  .map(([keyword, parts, between]) => `${keyword} ${parts.join(between)}`);

test('property: without here-documents, it reads what dockerfile-ast reads', () => {
  fc.assert(
    fc.property(
      fc.array(instruction, { minLength: 1, maxLength: 5 }),
      fc.constantFrom('\n', '\n\n', '\n# c\n', '\r\n'),
      (all, end) => {
        const text = all.join(end);
        const theirs = DockerfileParser.parse(text)
          .getInstructions()
          .map((each) => [
            each.getRange()!.start.line + 1,
            each.getKeyword(),
            normal(each.getArgumentsContent() ?? ''),
          ]);
        expect(parse(text).map(({ line, keyword, rest }) => [line, keyword, normal(rest)])).toEqual(theirs);
      },
    ),
  );
});

/** They differ in the blanks at a line's end, which no instruction minds. */
function normal(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
