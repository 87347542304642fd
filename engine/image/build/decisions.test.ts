// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are variables of Dockerfiles
import { expect, test } from 'vitest';
import { cacheKey, configure, expand, findSources, stageOrder } from '#build';
import type { Tree } from '#contract/build';

const variables = { A: 'a', EMPTY: '', PATH: 'x/y/z' };

test.each([
  ['$A-${A}', 'a-a'],
  ['${NONE:-b}${EMPTY:-c}${EMPTY-d}${NONE-e}', 'bce'],
  ['${A:+b}${EMPTY:+c}${EMPTY+d}${NONE+e}', 'bd'],
  ['${NONE:-${A}$A}', 'aa'],
  ["'$A'", '$A'],
  ['"$A"', 'a'],
  ['\\$A \\\\', '$A \\'],
  ['"\\n \\" \\$"', '\\n " $'],
  ['a\\ b', 'a b'],
  ['$ $. $', '$ $. $'],
  ['[$1$23$$$@${4:-x}]', '[x]'],
  ['${PATH#*/} ${PATH##*/} ${PATH%/*} ${PATH%%/*}', 'y/z z x/y x'],
  ['${PATH/\\//-} ${PATH//\\//-}', 'x-y/z x-y-z'],
])('%s expands to %s', (word, result) => {
  expect(expand(word, variables)).toBe(result);
});

test('the escape character can be a backtick', () => {
  expect(expand('`$A \\$A', variables, '`')).toBe('$A \\a');
});

test.each(['${', '${A', '${A:', '${A^}', '${}', "'a", '"a', '${NONE:?is needed}'])('%s is refused', (word) => {
  expect(() => expand(word, variables)).toThrow();
});

test('names that objects have anyway are not variables, and nested words are bounded', () => {
  expect(expand('$constructor${__proto__:-x}$toString', {})).toBe('x');
  expect(() => expand('${A:-'.repeat(50) + '}'.repeat(50), {})).toThrow(/nested/);
});

test('only the stages that the target needs are built, each after what it needs', () => {
  const stages = [
    { name: 'base', base: 'hostbox', uses: [] },
    { name: 'unused', base: 'base', uses: [] },
    { name: 'tools', base: 'scratch', uses: ['0'] },
    { name: 'app', base: 'Base', uses: ['TOOLS', 'hostbox', '7'] },
  ];
  expect(stageOrder(stages)).toEqual([0, 2, 3]);
  expect(stageOrder(stages, 'unused')).toEqual([0, 1]);
  expect(stageOrder(stages, '2')).toEqual([0, 2]);
  expect(() => stageOrder(stages, 'nothing')).toThrow(/could not be found/);
  expect(stageOrder([{ name: 'a', base: 'a', uses: ['a', '0'] }])).toEqual([0]);
});

test('a configuration is changed as Docker changes it', () => {
  let settings = configure(
    {},
    {
      keyword: 'ENV',
      pairs: [
        ['A', '1'],
        ['B', '2'],
        ['A', '3'],
      ],
    },
    false,
  );
  expect(settings.Env).toEqual(['A=3', 'B=2']);
  settings = configure(settings, { keyword: 'WORKDIR', value: 'a/./b' }, false);
  settings = configure(settings, { keyword: 'WORKDIR', value: '../c//d/' }, false);
  expect(settings.WorkingDir).toBe('/a/c/d');
  settings = configure(settings, { keyword: 'EXPOSE', values: ['80', '53/UDP'] }, false);
  expect(settings.ExposedPorts).toEqual({ '80/tcp': {}, '53/udp': {} });
  settings = configure(settings, { keyword: 'CMD', command: { shell: 'run it' } }, false);
  expect(settings.Cmd).toEqual(['/bin/sh', '-c', 'run it']);
  settings = configure(settings, { keyword: 'SHELL', command: { exec: ['/bin/ash', '-c'] } }, true);
  expect(configure(settings, { keyword: 'ENTRYPOINT', command: { shell: 'x' } }, true)).toMatchObject({
    Entrypoint: ['/bin/ash', '-c', 'x'],
    Cmd: ['/bin/sh', '-c', 'run it'],
  });
  expect(configure(settings, { keyword: 'ENTRYPOINT', command: { exec: ['x'] } }, false).Cmd).toBeUndefined();
});

test('links count on the whole way to a match', () => {
  const chain = (folder: string, name: string, end: string) =>
    Array.from({ length: 21 }, (_, at) => `${folder}${name}${at}->${at === 20 ? end : `${name}${at + 1}`}`);
  const tree = treeOf('d/', 'd/f', ...chain('', 'a', '/d'), ...chain('d/', 'b', 'f'));
  expect(findSources(tree, 'a0/f')).toEqual([{ name: 'a0/f', path: 'd/f' }]);
  expect(findSources(tree, 'a1/b1')).toEqual([{ name: 'a1/b1', path: 'd/f' }]);
  expect(() => findSources(tree, 'a0/b0')).toThrow(/loop/);
});

test('a key depends on the step before, the instruction and the content, and on no time or order', () => {
  const file = { path: 'a', type: 'file' as const, mode: 0o644, mtime: 1, digest: `sha256:${'0'.repeat(64)}` };
  const other = { ...file, path: 'b' };
  const key = cacheKey('p', 'COPY', [file, other]);
  expect(cacheKey('p', 'COPY', [other, { ...file, mtime: 2 }])).toBe(key);
  for (const changed of [
    cacheKey('q', 'COPY', [file, other]),
    cacheKey('p', 'ADD', [file, other]),
    cacheKey('p', 'COPY', [file]),
    cacheKey('p', 'COPY', [{ ...file, mode: 0o755 }, other]),
    cacheKey('p', 'COPY', [{ ...file, path: 'c' }, other]),
    cacheKey('p', 'COPY', [{ ...file, digest: `sha256:${'1'.repeat(64)}` }, other]),
  ])
    expect(changed).not.toBe(key);
});

/** `name/` is a directory, `name->target` a link. */
function treeOf(...paths: string[]): Tree {
  const entries = new Map<string, ReturnType<Tree['entry']>>([['', { type: 'directory' }]]);
  for (const path of paths) {
    const [name = '', target] = path.split('->');
    if (target !== undefined) entries.set(name, { type: 'symlink', target });
    else entries.set(name.replace(/\/$/, ''), { type: name.endsWith('/') ? 'directory' : 'file' });
  }
  return {
    entry: (path) => entries.get(path),
    names: (path) =>
      [...entries.keys()]
        .filter((key) => key !== '' && key.slice(0, Math.max(key.lastIndexOf('/'), 0)) === path)
        .map((key) => key.slice(key.lastIndexOf('/') + 1)),
  };
}

test.each<[string, [string, string][]]>([
  ['a.txt', [['a.txt', 'a.txt']]],
  ['/./d/../a.txt', [['a.txt', 'a.txt']]],
  ['../../a.txt', [['a.txt', 'a.txt']]],
  [
    '*.txt',
    [
      ['a.txt', 'a.txt'],
      ['b.txt', 'b.txt'],
      ['l.txt', 'd/e'],
    ],
  ],
  ['[ac].txt', [['a.txt', 'a.txt']]],
  [
    '[^a].tx?',
    [
      ['b.txt', 'b.txt'],
      ['l.txt', 'd/e'],
    ],
  ],
  ['d*/e', [['d/e', 'd/e']]],
  ['up/e', [['up/e', 'd/e']]],
  ['abs/e', [['abs/e', 'd/e']]],
  ['out', [['out', 'd']]],
  ['.', [['', '']]],
  ['none', []],
  ['a.txt/x', []],
  ['dangling', []],
])('%s finds what it names, and nothing outside', (pattern, found) => {
  const tree = treeOf(
    'a.txt',
    'b.txt',
    'd/',
    'd/e',
    'l.txt->d/e',
    'up->../../../d',
    'abs->/d',
    'out->../d',
    'dangling->/etc/passwd',
  );
  expect(findSources(tree, pattern).map(({ name, path }) => [name, path])).toEqual(found);
});

test('a loop of links is an error', () => {
  expect(() => findSources(treeOf('a->b', 'b->a'), 'a')).toThrow(/loop/);
});
