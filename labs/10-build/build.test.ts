// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are variables of Dockerfiles
import { createHash, randomInt } from 'node:crypto';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Change, Settings, SourceFile, StageOutline } from '../../engine/runtime/contract/build.ts';
import { nonce } from '../../grader/harness/evidence.ts';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from '../../grader/harness/files.ts';
import { SubjectError } from '../../grader/harness/subject-error.ts';
import { openSubject, type Subject, unsupported } from '../../grader/harness/suite.ts';
import * as reference from './build.driver.ts';

let subject: Subject | undefined;
beforeAll(async () => {
  subject = await openSubject();
});
afterAll(async () => {
  await subject?.[Symbol.asyncDispose]();
});

const call = async (name: string, ...args: unknown[]): Promise<unknown> => subject!.call(name, ...args);

/** The call has to throw, and of its own accord. */
async function refused(what: string, name: string, ...args: unknown[]): Promise<void> {
  const outcome = await call(name, ...args).catch((error: Error) => error);
  if (!(outcome instanceof Error)) throw new Error(`${what}: ${name}() should throw, and answered instead.`);
  if (!(outcome instanceof SubjectError) || outcome.name === 'NotImplemented') throw outcome;
}

describe('variables', () => {
  const known = { A: 'a', EMPTY: '', LONG_name2: `value ${nonce()}`, QUOTED: '"$A" \\' };

  async function expands(words: Record<string, string>, escapeToken?: string): Promise<void> {
    const answers: Record<string, unknown> = {};
    for (const word of Object.keys(words))
      answers[word] = await call('expand', word, known, ...(escapeToken ? [escapeToken] : []));
    expect(answers).toEqual(words);
  }

  test('task 1: a variable is replaced in each of its forms', async () => {
    await expands({
      '': '',
      'no variable': 'no variable',
      '$A/${A}-$A$A': 'a/a-aa',
      '$LONG_name2.x': `${known.LONG_name2}.x`,
      '[$NONE$EMPTY${NONE}]': '[]',
      '${NONE:-b}${EMPTY:-c}${A:-d}': 'bca',
      '${NONE-b}[${EMPTY-c}]${A-d}': 'b[]a',
      '[${NONE:+b}${EMPTY:+c}${A:+d}]': '[d]',
      '[${NONE+b}${EMPTY+c}${A+d}]': '[cd]',
      '${NONE:-${EMPTY:-x$A}y}': 'xay',
      '$ $. 5$': '$ $. 5$',
      // What a variable has is not read again.
      $QUOTED: '"$A" \\',
      // Every object has these, and nobody set them.
      '[$constructor${toString}${__proto__:-none}]': '[none]',
    });
  });

  test('task 1: quotes and escapes keep what they keep, and go', async () => {
    await expands({
      "'$A'b": '$Ab',
      '"$A b"c': 'a bc',
      '\\$A': '$A',
      'a\\ b\\\\': 'a b\\',
      '"\\$A \\" \\\\ \\n"': '$A " \\ \\n',
      "'\\'": '\\',
      '"it\'s"': "it's",
      '${NONE:-"x}"}': 'x}',
      "${NONE:-'$A'}": '$A',
      '\\n': 'n',
    });
    await expands({ '`$A \\$A': '$A \\a', '"`$ \\"': '$ \\' }, '`');
  });

  test('task 1: a substitution that nobody can read is refused', async () => {
    for (const word of ['${', '${A', '${A:-', '${A:-${B}', '${}', '${A^}', '${A:}', '"a', "'a", '${NONE:-"x}'])
      await refused(word, 'expand', word, known);
  });

  test('task 1: an ARG before FROM is not seen in a stage that does not repeat it', async () => {
    const globals = { VERSION: nonce(), UNUSED: nonce() };
    const scope = { globals, given: { OTHER: 'not declared' }, declared: [], env: [] };
    expect(await call('variables', scope)).toEqual({});
    const repeated = { ...scope, declared: [['VERSION', undefined]] };
    expect(await call('variables', repeated)).toEqual({ VERSION: globals.VERSION });
    expect(await call('variables', { ...scope, declared: [['VERSION', 'its own']] })).toEqual({ VERSION: 'its own' });
  });

  test('task 1: of all that give a variable its value, the right one wins', async () => {
    const [value, equals] = [nonce(), `${nonce()}=1=2`];
    const seen = await call('variables', {
      globals: { GLOBAL: 'global', GIVEN: 'global' },
      given: { GIVEN: 'given', EMPTY: '', NOT_DECLARED: 'x', ENV: 'given' },
      declared: [
        ['GLOBAL', undefined],
        ['GIVEN', 'default'],
        ['EMPTY', 'default'],
        ['NONE', undefined],
        ['DEFAULT', value],
        ['DEFAULT', undefined],
        ['TWICE', 'first'],
        ['TWICE', 'second'],
        ['ENV', 'default'],
        ['constructor', undefined],
      ],
      env: ['ENV=of the image', `PATH=${equals}`],
    });
    expect(seen).toEqual({
      GLOBAL: 'global',
      GIVEN: 'given',
      EMPTY: '',
      DEFAULT: value,
      TWICE: 'second',
      ENV: 'of the image',
      PATH: equals,
    });
  });
});

describe('the configuration', () => {
  async function configured(changes: Change[], settings: Settings = {}, ownCommand = false): Promise<Settings> {
    let after = settings;
    for (const change of changes) after = (await call('configure', after, change, ownCommand)) as Settings;
    return after;
  }

  test('task 2: a variable that is set again keeps its place, and the others theirs', async () => {
    const pairs = (...list: [string, string][]) => list;
    const after = await configured(
      [
        { keyword: 'ENV', pairs: pairs(['B', '1'], ['A', '2'], ['B', '3']) },
        { keyword: 'ENV', pairs: pairs(['PATH', '/mine'], ['PAT', 'shorter'], ['C', 'a=b']) },
        { keyword: 'ENV', pairs: pairs(['C', 'c=d']) },
        { keyword: 'LABEL', pairs: pairs(['by', 'me'], ['a', '1']) },
        { keyword: 'LABEL', pairs: pairs(['a', '2']) },
      ],
      { Env: ['PATH=/bin'] },
    );
    expect(after.Env).toEqual(['PATH=/mine', 'B=3', 'A=2', 'PAT=shorter', 'C=c=d']);
    expect(Object.entries(after.Labels ?? {})).toEqual([
      ['by', 'me'],
      ['a', '2'],
    ]);
  });

  test('task 2: WORKDIR and EXPOSE complete what they are told', async () => {
    const workdir = async (...values: string[]) =>
      (await configured(values.map((value) => ({ keyword: 'WORKDIR', value })))).WorkingDir;
    expect(await workdir('srv')).toBe('/srv');
    expect(await workdir('/srv', 'app', './x//y')).toBe('/srv/app/x/y');
    expect(await workdir('/srv/app', '../other')).toBe('/srv/other');
    expect(await workdir('/srv', '/', '..')).toBe('/');
    const after = await configured([
      { keyword: 'EXPOSE', values: ['80', '53/udp'] },
      { keyword: 'EXPOSE', values: ['443/tcp', '80/tcp'] },
      { keyword: 'VOLUME', values: ['/data', '/log'] },
      { keyword: 'USER', value: '7:8' },
      { keyword: 'USER', value: 'me' },
      { keyword: 'STOPSIGNAL', value: 'SIGINT' },
    ]);
    expect(after).toEqual({
      ExposedPorts: { '80/tcp': {}, '53/udp': {}, '443/tcp': {} },
      Volumes: { '/data': {}, '/log': {} },
      User: 'me',
      StopSignal: 'SIGINT',
    });
  });

  test('task 2: a line for the shell is given to the shell, a list is run as it is', async () => {
    const shell = `echo "$HOME" ${nonce()}`;
    const exec = ['/bin/echo', '$HOME', 'two words'];
    expect(await configured([{ keyword: 'CMD', command: { shell } }])).toEqual({ Cmd: ['/bin/sh', '-c', shell] });
    expect(await configured([{ keyword: 'CMD', command: { exec } }])).toEqual({ Cmd: exec });
    const Shell = ['/bin/bash', '-o', 'pipefail', '-c'];
    const after = await configured([
      { keyword: 'SHELL', command: { exec: Shell } },
      { keyword: 'ENTRYPOINT', command: { shell } },
    ]);
    expect(after).toEqual({ Shell, Entrypoint: [...Shell, shell] });
  });

  test("task 2: ENTRYPOINT takes an inherited command away, and leaves the stage's own", async () => {
    const inherited: Settings = { Cmd: ['an argument of another program'], User: 'me' };
    const change: Change = { keyword: 'ENTRYPOINT', command: { exec: ['/app'] } };
    expect(await configured([change], inherited)).toEqual({ User: 'me', Entrypoint: ['/app'] });
    expect(await configured([change], inherited, true)).toEqual({ ...inherited, Entrypoint: ['/app'] });
    expect(await configured([change], {}, true)).toEqual({ Entrypoint: ['/app'] });
  });

  test('task 2: a trigger is kept for the next build, after those before it', async () => {
    const triggers = ['COPY . /app', `RUN make ${nonce()}`, 'ENV A=$B'];
    const after = await configured(triggers.map((value) => ({ keyword: 'ONBUILD', value })));
    expect(after).toEqual({ OnBuild: triggers });
  });

  test('task 2: what went in stays as it was', async () => {
    const settings = {
      Env: ['A=1'],
      Labels: { a: '1' },
      ExposedPorts: { '80/tcp': {} },
      Volumes: { '/data': {} },
      OnBuild: ['RUN x'],
      Cmd: ['x'],
    };
    const changes: Change[] = [
      { keyword: 'ENV', pairs: [['A', '2']] },
      { keyword: 'LABEL', pairs: [['a', '2']] },
      { keyword: 'EXPOSE', values: ['81'] },
      { keyword: 'VOLUME', values: ['/log'] },
      { keyword: 'ONBUILD', value: 'RUN y' },
      { keyword: 'ENTRYPOINT', command: { exec: ['y'] } },
    ];
    const after = await call('configuredFrom', settings, changes);
    expect(after, 'the settings that each of the changes was given').toEqual(changes.map(() => settings));
  });
});

describe('stages', () => {
  const stage = (name: string, base: string, ...uses: string[]): StageOutline => ({
    ...(name !== '' && { name }),
    base,
    uses,
  });
  const order = async (stages: StageOutline[], target?: string) =>
    (await call('stageOrder', stages, ...(target === undefined ? [] : [target]))) as number[];

  test('task 3: a stage comes after all that it needs', async () => {
    const stages = [
      stage('base', 'hostbox'),
      stage('', 'base'),
      stage('tools', 'hostbox', 'base'),
      stage('test', 'tools', '1'),
      stage('', 'base', 'test', 'tools', 'hostbox'),
    ];
    const found = await order(stages);
    expect([...found].sort()).toEqual([0, 1, 2, 3, 4]);
    const needs = [[], [0], [0], [2, 1], [0, 3, 2]];
    for (const [index, needed] of needs.entries())
      for (const before of needed)
        expect(found.indexOf(before), `stage ${index} needs stage ${before}`).toBeLessThan(found.indexOf(index));
  });

  test('task 3: what the target does not need is not built', async () => {
    const stages = [stage('a', 'hostbox'), stage('b', 'hostbox'), stage('c', 'a'), stage('d', 'hostbox', 'a')];
    expect(await order(stages)).toEqual([0, 3]);
    expect(await order(stages, 'c')).toEqual([0, 2]);
    expect(await order(stages, '1')).toEqual([1]);
    await refused('a target that no stage is called', 'stageOrder', stages, nonce());
    await refused('a target beyond the last stage', 'stageOrder', stages, '4');
  });

  test('task 3: names whatever their case, numbers only where they count, and never a later stage', async () => {
    expect(await order([stage('Base', 'x'), stage('', 'bASE')]), 'the case of a name').toEqual([0, 1]);
    expect(await order([stage('a', 'x'), stage('', '0')]), 'FROM 0 is an image called 0').toEqual([1]);
    expect(await order([stage('busybox', 'busybox'), stage('', 'busybox')]), 'its own name').toEqual([0, 1]);
    expect(await order([stage('', 'later', '1', '7'), stage('later', 'x')], '0'), 'what comes later').toEqual([0]);
    expect(await order([stage('a', 'x'), stage('a', 'y'), stage('', 'a')]), 'a name that comes twice').toEqual([1, 2]);
    expect(await order([stage('a', 'x'), stage('a', 'a'), stage('', 'a')]), 'a name that hides').toEqual([0, 1, 2]);
  });
});

describe('files', () => {
  const found = async (paths: reference.Paths, pattern: string) =>
    ((await call('findIn', paths, pattern)) as { name: string; path: string }[]).map(({ name, path }) =>
      name === path ? name : `${name} → ${path}`,
    );

  test('task 4: patterns match within one name', async () => {
    const paths = { 'src/a.c': null, 'src/b.c': null, 'src/b.h': null, 'src/x/c.c': null, 'a.c': null, 'a+c': null };
    expect(await found(paths, 'src/*.c')).toEqual(['src/a.c', 'src/b.c']);
    expect(await found(paths, '*/*/*.c')).toEqual(['src/x/c.c']);
    expect(await found(paths, 's?c/[b-z].[^c]')).toEqual(['src/b.h']);
    expect(await found(paths, './src/../src//x/')).toEqual(['src/x']);
    expect(await found(paths, '/a.c')).toEqual(['a.c']);
    expect(await found(paths, '*+?'), 'characters that mean something elsewhere').toEqual(['a+c']);
    expect(await found(paths, '.')).toEqual(['']);
    expect(await found(paths, 'nothing/*')).toEqual([]);
    expect(await found(paths, 'a.c/b'), 'below a file').toEqual([]);
    const names = ['Z', 'a', 'ä', 'B'].map((name) => `d/${name}`);
    const sorted = await found(Object.fromEntries(names.map((name) => [name, null])), 'd/*');
    expect(sorted, 'by code units').toEqual(names.sort());
  });

  test('task 4: links are followed inside, and lead nowhere else', async () => {
    const paths = {
      'real/file': null,
      'real/up': '../other',
      'other/x': null,
      relative: 'real',
      absolute: '/real',
      out: '../../../other',
      far: '/etc/passwd',
      again: 'relative/up/x',
      'sub/climb': '../../../../../real/file',
    };
    expect(await found(paths, 'relative/file')).toEqual(['relative/file → real/file']);
    expect(await found(paths, 'absolute/f*')).toEqual(['absolute/file → real/file']);
    expect(await found(paths, 'relative/up/x'), 'a link behind a link').toEqual(['relative/up/x → other/x']);
    expect(await found(paths, 'again')).toEqual(['again → other/x']);
    expect(await found(paths, 'out/x'), '.. at the root stays there').toEqual(['out/x → other/x']);
    expect(await found(paths, 'sub/climb')).toEqual(['sub/climb → real/file']);
    expect(await found(paths, '../../real/file'), 'a pattern that climbs').toEqual(['real/file']);
    expect(await found(paths, 'far'), 'the host has one, the context has none').toEqual([]);
    await refused('links in a circle', 'findIn', { a: 'b', b: 'a' }, 'a/x');
  });

  const ignored = async (rules: string[], paths: string[]) => call('ignoredOf', rules.join('\n'), paths);

  test('task 4: of the rules of a .dockerignore the last one that fits counts', async () => {
    const paths = ['README.md', 'a.md', 'secret.md', 'src/a.md', 'a.c'];
    expect(await ignored(['*.md', '!README.md'], paths)).toEqual(['a.md', 'secret.md']);
    expect(await ignored(['!README.md', '*.md'], paths)).toEqual(['README.md', 'a.md', 'secret.md']);
    expect(await ignored(['*.md', '!*.md', 'secret*'], paths)).toEqual(['secret.md']);
    expect(await ignored(['', '# *.c', '  *.md\r', ' ! a.md '], paths)).toEqual(['README.md', 'secret.md']);
    expect(await ignored(['readme.md'], paths), 'the case counts').toEqual([]);
    expect(await ignored([], paths)).toEqual([]);
  });

  test('task 4: rules name directories with all that is in them, and ** any number of them', async () => {
    const paths = ['node_modules', 'node_modules/a/b', 'node_modules2', 'src', 'src/node_modules/c', 'src/deep/er/x.o'];
    expect(await ignored(['node_modules'], paths)).toEqual(['node_modules', 'node_modules/a/b']);
    expect(await ignored(['/node_modules/'], paths)).toEqual(['node_modules', 'node_modules/a/b']);
    expect(await ignored(['**/node_modules'], paths)).toEqual([
      'node_modules',
      'node_modules/a/b',
      'src/node_modules/c',
    ]);
    expect(await ignored(['src/**/*.o'], [...paths, 'src/x.o', 'src/x.oo'])).toEqual(['src/deep/er/x.o', 'src/x.o']);
    expect(await ignored(['*.o'], paths), '* is one name').toEqual([]);
    expect(await ignored(['**', '!src/deep'], paths)).toEqual(paths.slice(0, 5));
    expect(await ignored(['./src/../node_modules?'], paths)).toEqual(['node_modules2']);
  });
});

describe('the cache', () => {
  const hash = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
  const file = (path: string, more: object = {}): SourceFile => ({
    path,
    type: 'file',
    mode: 0o644,
    mtime: randomInt(2 ** 31),
    digest: hash(path),
    ...more,
  });
  const key = (parent: string, instruction: string, files: SourceFile[] = []) =>
    call('cacheKey', parent, instruction, files);

  test('task 5: a key is the digest of parent, instruction and files', async () => {
    const [parent, instruction] = [hash(nonce()), `RUN echo "${nonce()}"`];
    expect(await key(parent, instruction)).toBe(hash(JSON.stringify([parent, instruction, []])));
    const files = [file('a'), file('b/link', { type: 'symlink', digest: undefined, target: '../a', mode: 0o777 })];
    const described = [
      ['a', 'file', 0o644, hash('a')],
      ['b/link', 'symlink', 0o777, '../a'],
    ];
    expect(await key(parent, instruction, files)).toBe(hash(JSON.stringify([parent, instruction, described])));
    expect(await key(hash('other'), instruction), 'of the same step after another').not.toBe(
      await key(parent, instruction),
    );
  });

  test('task 5: a time and the order of files are not content; mode, name and target are', async () => {
    const parent = hash(nonce());
    const names = ['b', 'a', 'Z', 'ä', 'a/x', 'a-b'];
    const files = names.map((name) => file(name));
    const first = await key(parent, 'COPY', files);
    const later = names.map((name) => file(name)).reverse();
    expect(await key(parent, 'COPY', later), 'other times, another order').toBe(first);
    const link = (target: string) => file('a', { type: 'symlink', digest: undefined, target });
    const others = [
      await key(parent, 'COPY', [...files.slice(1), file('b', { mode: 0o755 })]),
      await key(parent, 'COPY', [...files.slice(1), file('c', { digest: hash('b') })]),
      await key(parent, 'COPY', [...files.slice(1), file('b', { digest: hash('c') })]),
      await key(parent, 'COPY', [link('x')]),
      await key(parent, 'COPY', [link('y')]),
      first,
    ];
    expect(new Set(others).size, 'different keys').toBe(others.length);
  });
});

describe('a whole build', () => {
  const DOCKERFILE = `# syntax=docker/dockerfile:1
ARG NAME=global
FROM scratch AS files
ARG NAME
ENV WHERE=/srv/\${NAME:-none} AGAIN=1
WORKDIR \${WHERE}
COPY src/*.txt link ./
COPY <<EOF greeting
hello from $WHERE
EOF
FROM scratch AS unused
COPY not-there /
FROM scratch
COPY --from=files /srv /srv
COPY --chmod=755 tool "/bin dir/"
ENV AGAIN=2 A="two words" B='$A'
LABEL by=\${NAME:-nobody}
EXPOSE 80 53/udp
CMD echo $A
ENTRYPOINT ["/tool"]
ONBUILD COPY . /app
`;

  interface Place {
    inside: { context: string; state: string };
    outside: { context: string; state: string };
  }

  /** A context that both can read, and a place for each to keep images in. */
  async function place(): Promise<Place> {
    if (process.platform !== 'linux') unsupported('images are kept with the owners of their files, which needs Linux');
    const { inside, outside } = await subject!.workDir();
    const state = mkdtempSync(join(tmpdir(), 'skiff-build-'));
    onTestFinished(() => rmSync(state, { recursive: true, force: true }));
    const put = (name: string, content: string) => {
      mkdirSync(dirname(join(outside, name)), { recursive: true });
      writeFileSync(join(outside, name), content);
      chmodSync(join(outside, name), 0o644);
      chmodSync(dirname(join(outside, name)), 0o755);
    };
    put('Dockerfile', DOCKERFILE);
    put('src/one.txt', nonce());
    put('src/two.txt', nonce());
    put('src/three.c', nonce());
    put('tool', nonce());
    symlinkSync('src/three.c', join(outside, 'link'));
    return {
      inside: { context: inside, state: `${subject!.scratch}/${nonce()}` },
      outside: { context: outside, state },
    };
  }

  test('task 5: a second build finds every step, and a changed file only those before it', async () => {
    const { inside, outside } = await place();
    const build = async () => (await call('build', inside)) as reference.Built;
    const first = await build();
    expect(first.cached.filter(Boolean)).toEqual([]);
    utimesSync(join(outside.context, 'tool'), 1, 1);
    const second = await build();
    const steps = first.cached.map((_, index) => index);
    const froms = [0, 6];
    expect(second, 'nothing but a time is new').toEqual({
      ...first,
      cached: steps.map((index) => !froms.includes(index)),
    });
    writeFileSync(join(outside.context, 'tool'), nonce());
    const third = await build();
    expect(third.cached, 'the file of step 9 is new').toEqual(
      steps.map((index) => index < 8 && !froms.includes(index)),
    );
    expect(third.layers[0]).toBe(first.layers[0]);
    expect(third.layers[1]).not.toBe(first.layers[1]);
  });

  test('task 5: the image has the digest that the engine gives it', async () => {
    const { inside, outside } = await place();
    for (const more of [{}, { target: 'files' }, { buildArgs: { NAME: 'given' }, target: '0' }]) {
      const mine = (await call('build', { ...inside, ...more })) as reference.Built;
      expect(mine).toEqual(await reference.build({ ...outside, ...more }));
    }
  });
});
