// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are variables of Dockerfiles
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Change, Settings, SourceFile } from '../../engine/runtime/contract/build.ts';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from '../../grader/harness/files.ts';
import { draw } from '../../grader/harness/random.ts';
import { openSubject, type Subject, unsupported } from '../../grader/harness/suite.ts';
import * as reference from './build.driver.ts';
import { drawnRules, drawnTree } from './testing/files.ts';
import { names } from './testing/names.ts';
import { drawnStages, neededBy, type Stage } from './testing/stages.ts';
import { drawnWords, type Kind, unreadable, type Word } from './testing/words.ts';

let subject: Subject | undefined;
beforeAll(async () => {
  subject = await openSubject();
});
afterAll(async () => {
  await subject?.[Symbol.asyncDispose]();
});

const call = async (name: string, ...args: unknown[]): Promise<unknown> => subject!.call(name, ...args);

/** Each question with its answer: an answer that is an error is said in words, so that only what differs is shown. */
function answers(questions: string[], outcomes: unknown): Record<string, unknown> {
  const list = outcomes as reference.Outcome[];
  return Object.fromEntries(
    questions.map((question, index) => {
      const outcome = list[index]!;
      return [question, 'threw' in outcome ? `(threw ${outcome.threw})` : outcome.value];
    }),
  );
}

/** Each question that was not refused, with its answer. */
function notRefused(questions: string[], outcomes: unknown): Record<string, unknown> {
  const list = outcomes as reference.Outcome[];
  return Object.fromEntries(
    questions.flatMap((question, index) => {
      const outcome = list[index]!;
      return 'threw' in outcome ? [] : [[question, outcome.value]];
    }),
  );
}

describe('variables', () => {
  /** Names with the values that they have; `unset` has none. */
  function drawnVariables() {
    const [first, second, empty, quoted, ...unset] = names(7);
    const known = {
      [first!]: draw.word(),
      [second!]: `${draw.word()} ${draw.word()}`,
      [empty!]: '',
      // What a variable has is not read again.
      [quoted!]: `"$${first}" \\${draw.word()} \${${second}}'`,
    };
    return { known, unset: [...unset, draw.pick(['constructor', 'toString', 'valueOf'])] };
  }

  async function expands(words: Word[], known: Record<string, string>, escapeToken?: string): Promise<void> {
    const texts = words.map(({ text }) => text);
    const found = await call('expandAll', texts, known, ...(escapeToken === undefined ? [] : [escapeToken]));
    expect(answers(texts, found), `with ${JSON.stringify(known)}`).toEqual(
      Object.fromEntries(words.map(({ text, value }) => [text, value])),
    );
  }

  const plainKinds: Kind[] = ['text', 'name', 'braces'];

  test('task 1: $NAME and ${NAME} are replaced, and nothing else', async () => {
    const { known, unset } = drawnVariables();
    const [name, value] = Object.entries(known)[0]!;
    const other = unset[0]!;
    const special: Word[] = [
      { text: '', value: '' },
      { text: `$${name}\${${name}}$${name}`, value: value.repeat(3) },
      // A name ends where no letter, digit or _ follows; letters are those of ASCII.
      { text: `$${name}.x-$${name}é`, value: `${value}.x-${value}é` },
      { text: `$${name}${other}`, value: '' },
      { text: `[$${other}\${${other}}$constructor]`, value: '[]' },
      { text: '$ $. é$é $', value: '$ $. é$é $' },
      // Parameters of the shell, which nobody has set here.
      { text: `[$${draw.int(1, 99)}$@$$]$`, value: '[]$' },
    ];
    await expands([...special, ...drawnWords(plainKinds, { known, unset })], known);
  });

  test('task 1: - and + give the word or the value, with a colon for empty values too', async () => {
    const { known, unset } = drawnVariables();
    const [set, empty, missing] = [Object.keys(known)[0]!, Object.keys(known)[2]!, unset[0]!];
    const [value, word] = [known[set]!, draw.word()];
    const each = (modifier: string, ...[ofSet, ofEmpty, ofMissing]: string[]): Word => ({
      text: [set, empty, missing].map((name) => `\${${name}${modifier}${word}}`).join('|'),
      value: [ofSet, ofEmpty, ofMissing].join('|'),
    });
    await expands(
      [
        each(':-', value, word, word),
        each('-', value, '', word),
        each(':+', word, '', ''),
        each('+', word, word, ''),
        { text: `\${${missing}:-\${${empty}:-x$${set}}y}`, value: `x${value}y` },
        { text: `\${${missing}:-"}"'}'}\${${empty}:-}`, value: '}}' },
        ...drawnWords([...plainKinds, 'choice'], { known, unset }),
      ],
      known,
    );
  });

  test('task 1: quotes and escapes protect their contents, then are removed', async () => {
    const { known, unset } = drawnVariables();
    const [name, value] = Object.entries(known)[0]!;
    const kinds: Kind[] = [...plainKinds, 'choice', 'single', 'double', 'escape'];
    for (const [token, given] of [
      ['\\', undefined],
      ['`', '`'],
    ] as const) {
      const special: Word[] = [
        { text: `'$${name}'x`, value: `$${name}x` },
        { text: `"$${name} x"y`, value: `${value} xy` },
        { text: `${token}$${name}`, value: `$${name}` },
        { text: `x${token} y${token}${token}${token}n`, value: `x y${token}n` },
        { text: `"${token}$${name} ${token}" ${token}${token} ${token}n"`, value: `$${name} " ${token} ${token}n` },
        { text: `'${token}'`, value: token },
        { text: `"it's"`, value: "it's" },
        { text: `x${token}`, value: `x${token}` },
        { text: `\${${unset[0]}:-'$${name}'}`, value: `$${name}` },
        { text: `\${${unset[0]}:-x${token}}y}`, value: 'x}y' },
      ];
      await expands([...special, ...drawnWords(kinds, { known, unset, token })], known, given);
    }
    // The other token is a character like any other.
    await expands([{ text: `\\$${name}`, value: `\\${value}` }], known, '`');
  });

  test('task 1: a word that cannot be read is refused', async () => {
    const { known, unset } = drawnVariables();
    const broken = unreadable({ known, unset });
    const twins = broken.map(({ twin }) => twin);
    await expands(twins, known);
    const texts = broken.map(({ text }) => text);
    expect(notRefused(texts, await call('expandAll', texts, known)), 'words that were not refused').toEqual({});
  });

  test('task 1: an ARG before FROM is not seen in a stage that does not repeat it', async () => {
    const [version, unused, other, own] = names(4) as [string, string, string, string];
    const globals = { [version]: draw.word(), [unused]: draw.word() };
    const scope = { globals, given: { [other]: draw.word() }, declared: [] as unknown[], env: [] };
    expect(await call('variables', scope), 'the variables of a stage without ARG').toEqual({});
    scope.declared = [[version, undefined]];
    expect(await call('variables', scope), `ARG ${version}`).toEqual({ [version]: globals[version] });
    const value = draw.word();
    scope.declared = [
      [version, value],
      [own, ''],
    ];
    expect(await call('variables', scope), `ARG ${version}=${value}`).toEqual({ [version]: value, [own]: '' });
  });

  test('task 1: of several values for a variable the right one wins', async () => {
    for (let round = 0; round < 5; round++) {
      const all = [...names(9), draw.pick(['constructor', 'toString', 'valueOf'])];
      const [global, given, empty, none, kept, twice, environment, odd, path, ofObjects] = draw.some(all) as string[];
      const words = names(9, 'abcdefgh');
      const [first, second, third, fourth, fifth, sixth] = words as string[];
      const seen = await call('variables', {
        globals: { [global!]: first, [given!]: 'global', [environment!]: 'global' },
        given: { [given!]: second, [empty!]: '', [environment!]: 'given', [words[8]!]: 'not declared' },
        declared: [
          [global, undefined],
          [given, 'default'],
          [empty, 'default'],
          [none, undefined],
          [kept, third],
          [kept, undefined],
          [twice, 'first'],
          [twice, fourth],
          [environment, 'default'],
          [ofObjects, undefined],
        ],
        env: [`${environment}=${fifth}`, `${path}=${sixth}=1=2`, odd],
      });
      expect(seen).toEqual({
        [global!]: first,
        [given!]: second,
        [empty!]: '',
        [kept!]: third,
        [twice!]: fourth,
        [environment!]: fifth,
        [path!]: `${sixth}=1=2`,
        [odd!]: '',
      });
    }
  });
});

describe('the configuration', () => {
  async function configured(changes: Change[], settings: Settings = {}, ownCommand = false): Promise<Settings> {
    let after = settings;
    for (const change of changes) after = (await call('configure', after, change, ownCommand)) as Settings;
    return after;
  }

  test('task 2: a variable that is set again keeps its place, and the others theirs', async () => {
    const [a, b, c, d] = names(4) as [string, string, string, string];
    const start = a.slice(0, -1);
    const [one, two, three, four] = names(4, 'abcdef') as [string, string, string, string];
    const after = await configured(
      [
        {
          keyword: 'ENV',
          pairs: [
            [b, 'old'],
            [c, two],
            [b, three],
          ] as [string, string][],
        },
        {
          keyword: 'ENV',
          pairs: [
            [a, one],
            [start, 'shorter'],
            [d, 'x=y'],
          ] as [string, string][],
        },
        { keyword: 'ENV', pairs: [[d, `${four}=z`]] },
        {
          keyword: 'LABEL',
          pairs: [
            [b, one],
            [a, 'old'],
          ] as [string, string][],
        },
        { keyword: 'LABEL', pairs: [[a, two]] },
      ],
      { Env: [`${a}=/bin`], Labels: { [d]: four }, User: one },
    );
    expect(after).toEqual({
      Env: [`${a}=${one}`, `${b}=${three}`, `${c}=${two}`, `${start}=shorter`, `${d}=${four}=z`],
      Labels: { [d]: four, [b]: one, [a]: two },
      User: one,
    });
  });

  test('task 2: WORKDIR and EXPOSE complete what they are told', async () => {
    const workdir = async (...values: string[]) =>
      (await configured(values.map((value) => ({ keyword: 'WORKDIR', value })))).WorkingDir;
    const [a, b, c] = names(3, 'abcdef') as [string, string, string];
    expect(await workdir(a), `WORKDIR ${a}`).toBe(`/${a}`);
    expect(await workdir(`/${a}`, b, `./${c}//${a}/`), 'one relative to the other').toBe(`/${a}/${b}/${c}/${a}`);
    expect(await workdir(`/${a}/${b}`, `../${c}`), `../${c}`).toBe(`/${a}/${c}`);
    expect(await workdir(`/${a}`, '/', '..'), '.. at the root').toBe('/');
    const [first, second, third] = draw.some([80, 443, 8080, 53, 1194, 5432]) as [number, number, number];
    const after = await configured([
      { keyword: 'EXPOSE', values: [`${first}`, `${second}/udp`] },
      { keyword: 'EXPOSE', values: [`${third}/tcp`, `${first}/tcp`, `${third}/UDP`] },
      { keyword: 'VOLUME', values: [`/${a}`, `/${b}/`] },
      { keyword: 'VOLUME', values: [c] },
      { keyword: 'USER', value: 'old' },
      { keyword: 'USER', value: a },
      { keyword: 'STOPSIGNAL', value: 'SIGKILL' },
      { keyword: 'STOPSIGNAL', value: `SIG${b}` },
    ]);
    expect(after).toEqual({
      ExposedPorts: { [`${first}/tcp`]: {}, [`${second}/udp`]: {}, [`${third}/tcp`]: {}, [`${third}/udp`]: {} },
      Volumes: { [`/${a}`]: {}, [`/${b}/`]: {}, [c]: {} },
      User: a,
      StopSignal: `SIG${b}`,
    });
  });

  test('task 2: a line for the shell is given to the shell, a list is run as it is', async () => {
    const shell = `${draw.word()} "$HOME"  '${draw.word()}'`;
    const exec = [`/bin/${draw.word()}`, '$HOME', 'two words'];
    expect(await configured([{ keyword: 'CMD', command: { shell } }])).toEqual({ Cmd: ['/bin/sh', '-c', shell] });
    expect(await configured([{ keyword: 'CMD', command: { exec } }])).toEqual({ Cmd: exec });
    expect(await configured([{ keyword: 'CMD', command: { exec: [] } }], { Cmd: exec })).toEqual({ Cmd: [] });
    const Shell = [`/bin/${draw.word()}`, '-o', draw.word(), '-c'];
    const after = await configured(
      [
        { keyword: 'SHELL', command: { exec: ['/bin/old'] } },
        { keyword: 'SHELL', command: { exec: Shell } },
        { keyword: 'ENTRYPOINT', command: { shell } },
        { keyword: 'CMD', command: { shell: exec[0]! } },
      ],
      {},
      true,
    );
    expect(after).toEqual({ Shell, Entrypoint: [...Shell, shell], Cmd: [...Shell, exec[0]] });
  });

  test("task 2: ENTRYPOINT takes an inherited command away, and leaves the stage's own", async () => {
    const inherited: Settings = { Cmd: [draw.word()], User: draw.word(), Entrypoint: ['/old'] };
    const exec = [`/${draw.word()}`];
    const change: Change = { keyword: 'ENTRYPOINT', command: { exec } };
    expect(await configured([change], inherited), 'with an inherited command').toEqual({
      User: inherited.User,
      Entrypoint: exec,
    });
    expect(await configured([change], inherited, true), "with the stage's own command").toEqual({
      ...inherited,
      Entrypoint: exec,
    });
    expect(await configured([change], {}, true), 'without a command').toEqual({ Entrypoint: exec });
  });

  test('task 2: an ONBUILD instruction is stored behind the earlier ones', async () => {
    const triggers = names(4).map((name) => `${draw.pick(['RUN', 'COPY', 'ENV'])} $${name}`);
    const after = await configured(
      triggers.slice(1).map((value) => ({ keyword: 'ONBUILD', value })),
      { OnBuild: triggers.slice(0, 1) },
    );
    expect(after).toEqual({ OnBuild: triggers });
  });

  test('task 2: configure does not change its arguments', async () => {
    const [a, b] = names(2) as [string, string];
    const settings: Settings = {
      Env: [`${a}=1`],
      Labels: { [a]: '1' },
      ExposedPorts: { '80/tcp': {} },
      Volumes: { [`/${a}`]: {} },
      OnBuild: [`RUN ${a}`],
      Cmd: [a],
      Shell: [a],
    };
    const changes: Change[] = [
      { keyword: 'ENV', pairs: [[a, '2']] },
      { keyword: 'LABEL', pairs: [[a, '2']] },
      { keyword: 'EXPOSE', values: ['81'] },
      { keyword: 'VOLUME', values: [`/${b}`] },
      { keyword: 'ONBUILD', value: `RUN ${b}` },
      { keyword: 'ENTRYPOINT', command: { shell: b } },
      { keyword: 'CMD', command: { shell: b } },
      { keyword: 'USER', value: b },
    ];
    const theirs: Settings[] = [
      { ...settings, Env: [`${a}=2`] },
      { ...settings, Labels: { [a]: '2' } },
      { ...settings, ExposedPorts: { '80/tcp': {}, '81/tcp': {} } },
      { ...settings, Volumes: { [`/${a}`]: {}, [`/${b}`]: {} } },
      { ...settings, OnBuild: [`RUN ${a}`, `RUN ${b}`] },
      { ...settings, Entrypoint: [a, b], Cmd: undefined },
      { ...settings, Cmd: [a, b] },
      { ...settings, User: b },
    ];
    const found = (await call('configuredFrom', settings, changes)) as Record<'after' | 'given', Settings>[];
    for (const [index, { keyword }] of changes.entries()) {
      expect(found[index]!.given, `the settings that ${keyword} was given, afterwards`).toEqual(settings);
      expect(found[index]!.after, `the settings after ${keyword}`).toEqual(theirs[index]);
    }
  });
});

describe('stages', () => {
  /** The order is right for the stages if it has each that the target needs once, and after all that it needs. */
  async function ordered(asked: [stages: Stage[], target?: string][]): Promise<void> {
    const outcomes = (await call('orderAll', asked)) as reference.Outcome[];
    for (const [index, [stages, target]] of asked.entries()) {
      const shown = stages.map(({ name, base, uses }, number) =>
        [`${number}: FROM ${base}`, ...(name ? [`AS ${name}`] : []), ...(uses.length ? [`uses ${uses}`] : [])].join(
          ' ',
        ),
      );
      const where = `${shown.join('; ')}; target ${target ?? '(the last)'}`;
      const outcome = outcomes[index]!;
      if ('threw' in outcome) throw new Error(`stageOrder() threw ${outcome.threw} for ${where}`);
      const order = outcome.value as number[];
      const needs = neededBy(stages, target);
      expect(Array.isArray(order), `an order for ${where}`).toBe(true);
      expect(
        [...order].sort((a, b) => a - b),
        `the stages that are built of ${where}`,
      ).toEqual([...needs.keys()].sort((a, b) => a - b));
      for (const [stage, needed] of needs)
        for (const before of needed)
          expect(order.indexOf(before), `${where}: [${order}] has stage ${before} before stage ${stage}`).toBeLessThan(
            order.indexOf(stage),
          );
    }
  }

  const stage = (name: string, base: string, ...uses: string[]): Stage => ({
    ...(name !== '' && { name }),
    base,
    uses,
  });

  test('task 3: a stage comes after all that it needs', async () => {
    const [base, tools, check, image] = names(4, 'abcdefgh') as [string, string, string, string];
    const stages = [
      stage(base, image),
      stage('', base),
      stage(tools, image, base),
      stage(check, tools, '1'),
      stage('', base, check, tools, image),
    ];
    await ordered([[stages], ...Array.from({ length: 8 }, (): [Stage[]] => [drawnStages({ numbers: false })])]);
  });

  test('task 3: what the target does not need is not built', async () => {
    const [a, b, c, d, image] = names(5, 'abcdefgh') as [string, string, string, string, string];
    const stages = [stage(a, image), stage(b, image), stage(c, a), stage(d, image, a)];
    await ordered([[stages], [stages, c], [stages, '1'], [stages, b.toUpperCase()]]);
    const drawn = Array.from({ length: 8 }, () => drawnStages({ numbers: false }));
    await ordered(drawn.map((each): [Stage[], string] => [each, String(draw.int(0, each.length - 1))]));
  });

  test('task 3: a target that does not exist is refused', async () => {
    const [a, b, image] = names(3, 'abcdefgh') as [string, string, string];
    const stages = [stage(a, image), stage(b, a)];
    await ordered([[stages], [stages, a]]);
    const wrong: [Stage[], string?][] = [[stages, image], [stages, `${a}x`], [stages, '2'], [stages, '-1'], [[]]];
    const questions = wrong.map(([list, target]) => `target ${target} of ${list.length} stages`);
    expect(notRefused(questions, await call('orderAll', wrong)), 'targets that were not refused').toEqual({});
  });

  test('task 3: names ignore case, a number is used only if no name fits, and a later stage is never found', async () => {
    const [a, later, image] = names(3, 'abcdefgh') as [string, string, string];
    const upper = a.toUpperCase();
    await ordered([
      [[stage(a, image), stage('', upper)]],
      [[stage(upper, image), stage('', image, a)]],
      // FROM 0 names an image that is called 0.
      [[stage(a, image), stage('', '0')]],
      // A stage's own name, and a later one's, are images.
      [[stage(a, a), stage('', a)]],
      [[stage('', later, '1', '7', '0'), stage(later, image)], '0'],
      // Of two with one name the later one counts, if it comes before.
      [[stage(a, image), stage(a, image), stage('', a)]],
      [[stage(a, image), stage(a, a), stage('', a)]],
      [[stage(a, image), stage('', a), stage(a, image)], '1'],
      [[stage(a, image), stage(image, image), stage(upper, image)], a],
      // A name counts before a number.
      [[stage(a, image), stage('0', image), stage('', image, '0')]],
      [[stage(a, image), stage(later, image), stage('0', image)], '0'],
      ...Array.from({ length: 8 }, (): [Stage[]] => [drawnStages({ numbers: true })]),
    ]);
  });
});

describe('files', () => {
  /** What each pattern finds. */
  async function finds(paths: reference.Paths, wanted: Record<string, string[]>): Promise<void> {
    const patterns = Object.keys(wanted);
    expect(answers(patterns, await call('findAll', paths, patterns)), `in ${JSON.stringify(paths)}`).toEqual(wanted);
  }

  /** The same as the engine finds, in trees that are drawn. */
  async function findsAsTheEngine(links: boolean): Promise<void> {
    for (let round = 0; round < 5; round++) {
      const { paths, patterns } = drawnTree({ links });
      await finds(paths, answers(patterns, reference.findAll(paths, patterns)) as Record<string, string[]>);
    }
  }

  test('task 4: * and ? match within one name', async () => {
    const [d, a, b, x] = names(4, 'abcdefgh') as [string, string, string, string];
    const paths = {
      [`${d}/${a}.c`]: null,
      [`${d}/${b}.c`]: null,
      [`${d}/.${b}.c`]: null,
      [`${d}/${b}.h`]: null,
      [`${d}/${x}/${a}.c`]: null,
      [`${a}.c`]: null,
      [`${a}+c`]: null,
    };
    await finds(paths, {
      [`${d}/*.c`]: [`${d}/.${b}.c`, `${d}/${a}.c`, `${d}/${b}.c`].sort(),
      '*/*/*.c': [`${d}/${x}/${a}.c`],
      [`${d.slice(0, -1)}?/${b}.?`]: [`${d}/${b}.c`, `${d}/${b}.h`],
      [`./${d}/../${d}//${x}/`]: [`${d}/${x}`],
      [`/${a}.c`]: [`${a}.c`],
      // Characters that mean something elsewhere.
      [`${a}+?`]: [`${a}+c`],
      [`${a}.?`]: [`${a}.c`],
      '.': [''],
      [`${x}/*`]: [],
      [`${a}.c/${b}`]: [],
      [`${a}.c/*`]: [],
    });
    await findsAsTheEngine(false);
  });

  test('task 4: [a-z] is one character, and matches are sorted by code units', async () => {
    const d = draw.word();
    const letters = draw.some([...'abcdefgh'], 5).sort();
    const [from, to] = [letters[1]!, letters[3]!];
    const all = [...letters, 'Z', 'ä', 'B', '0', '-', '^'];
    const sorted = (list: string[]) => list.map((name) => `${d}/${name}`).sort();
    await finds(Object.fromEntries(draw.some(sorted(all)).map((path) => [path, null])), {
      [`${d}/*`]: sorted(all),
      [`${d}/[${from}-${to}]`]: sorted(all.filter((each) => from <= each && each <= to)),
      [`${d}/[^${from}-${to}]`]: sorted(all.filter((each) => !(from <= each && each <= to))),
      [`${d}/[${from}${to}Z]`]: sorted([from, to, 'Z']),
      [`${d}/[Z${from}-${to}0]`]: sorted(['Z', '0', ...all.filter((each) => from <= each && each <= to)]),
      [`${d}/[${from}-${to}][${from}-${to}]`]: [],
    });
  });

  test('task 4: links are followed inside the context and never lead out of it', async () => {
    const [real, other, file, x, up] = names(5, 'abcdefgh') as [string, string, string, string, string];
    const paths = {
      [`${real}/${file}`]: null,
      [`${real}/${up}`]: `../${other}`,
      [`${other}/${x}`]: null,
      relative: real,
      absolute: `/${real}`,
      out: `../../../${other}`,
      far: '/etc/passwd',
      again: `relative/${up}/${x}`,
      'sub/climb': `../../../../../${real}/${file}`,
      last: `${real}/${file}`,
      below: `${real}/${file}/${x}`,
      dotted: `./${real}/.//./${file}`,
      here: '.',
      slashed: `/${real}//`,
    };
    await finds(paths, {
      [`relative/${file}`]: [`relative/${file} → ${real}/${file}`],
      [`absolute/${file}*`]: [`absolute/${file} → ${real}/${file}`],
      // A link behind a link.
      [`relative/${up}/${x}`]: [`relative/${up}/${x} → ${other}/${x}`],
      again: [`again → ${other}/${x}`],
      // A target has parts that say nothing.
      dotted: [`dotted → ${real}/${file}`],
      [`here/${other}/${x}`]: [`here/${other}/${x} → ${other}/${x}`],
      [`slashed/${file}`]: [`slashed/${file} → ${real}/${file}`],
      // `..` at the root stays there.
      [`out/${x}`]: [`out/${x} → ${other}/${x}`],
      'sub/climb': [`sub/climb → ${real}/${file}`],
      [`../../${real}/${file}`]: [`${real}/${file}`],
      // A link that a wildcard matched.
      'l*': [`last → ${real}/${file}`],
      'r[e]lat?ve': [`relative → ${real}`],
      // The host has one, the context does not; and nothing is below a file.
      far: [],
      'f[a]r': [],
      below: [],
      // `..` in a pattern takes the part before it, whatever that is.
      [`relative/../${other}/${x}`]: [`${other}/${x}`],
    });
    await findsAsTheEngine(true);
  });

  test('task 4: forty links are followed, and one more is an error', async () => {
    const [end, a, b, folder] = names(4, 'abcdefgh') as [string, string, string, string];
    /** `count` links, one after the other; the last one leads to `to`. */
    const chain = (where: string, name: string, count: number, to: string): reference.Paths =>
      Object.fromEntries(
        Array.from({ length: count }, (_, at) => [`${where}${name}${at}`, at === count - 1 ? to : `${name}${at + 1}`]),
      );
    const split = draw.int(5, 35);
    const paths = {
      [end]: null,
      [`${folder}/${end}`]: null,
      ...chain('', a, 41, end),
      ...chain('', `${b}x`, split, folder),
      ...chain(`${folder}/`, b, 41 - split, end),
      round: 'turn',
      turn: 'round',
    };
    await finds(paths, {
      [`${a}1`]: [`${a}1 → ${end}`],
      [`${a}${draw.int(2, 40)}`]: expect.arrayContaining([expect.stringContaining(` → ${end}`)]),
      // All links on the way count.
      [`${b}x1/${b}0`]: [`${b}x1/${b}0 → ${folder}/${end}`],
    });
    const loops = [`${a}0`, `${b}x0/${b}0`, 'round', `round/${end}`];
    expect(notRefused(loops, await call('findAll', paths, loops)), 'loops that were not refused').toEqual({});
  });

  /** What each text of a `.dockerignore` leaves out. */
  async function ignores(paths: string[], wanted: Record<string, string[]>): Promise<void> {
    const texts = Object.keys(wanted);
    const found = (await call('ignoredByAll', texts, paths)) as string[][];
    const answered = Object.fromEntries(texts.map((text, index) => [text, found[index]]));
    expect(answered, `what is left out of ${paths.join(', ')}`).toEqual(wanted);
  }

  async function ignoresAsTheEngine(kinds: Parameters<typeof drawnRules>[0]): Promise<void> {
    const { paths, texts } = drawnRules(kinds);
    const found = reference.ignoredByAll(texts, paths);
    await ignores(paths, Object.fromEntries(texts.map((text, index) => [text, found[index]!])));
  }

  test('task 4: the last rule of a .dockerignore that fits a path decides', async () => {
    const [readme, a, secret] = names(3, 'abcdefgh') as [string, string, string];
    const paths = [`${readme}.md`, `${a}.md`, `${secret}.md`, `src/${a}.md`, `${a}.c`];
    const md = paths.slice(0, 3);
    await ignores(paths, {
      [`*.md\n!${readme}.md`]: md.slice(1),
      [`!${readme}.md\n*.md`]: md,
      [`*.md\n!*.md\n${secret}*`]: [`${secret}.md`],
      [`\n# *.c\n#*.c\n  *.md\r\n ! ${a}.md \n!\n`]: [`${readme}.md`, `${secret}.md`],
      [`${a.toUpperCase()}.md`]: [],
      '': [],
    });
    await ignoresAsTheEngine({ deep: false });
  });

  test('task 4: a rule leaves out a directory with all that is in it', async () => {
    const [modules, src, x] = names(3, 'abcdefgh') as [string, string, string];
    const paths = [
      modules,
      `${modules}/${x}/b`,
      `${modules}2`,
      src,
      `${src}/${modules}/c`,
      `${src}/.${x}`,
      'a/c',
      'axc',
    ];
    const all = paths.slice(0, 2);
    await ignores(paths, {
      [modules]: all,
      [`/${modules}/`]: all,
      [`${modules}/*`]: [`${modules}/${x}/b`],
      [`./${src}/../${modules}?`]: [`${modules}2`],
      [`${src}\n!${src}/${modules}`]: [src, `${src}/.${x}`],
      // A class never fits a slash.
      'a[^b]c': ['axc'],
      'a?c': ['axc'],
      // These name the context, or lead out of it.
      [`.\n/\n..\n${src}/..\n../${modules}`]: [],
      [`/../${modules}`]: all,
    });
    await ignoresAsTheEngine({ deep: false });
  });

  test('task 4: ** stands for any number of directories', async () => {
    const [modules, src, x] = names(3, 'abcdefgh') as [string, string, string];
    const paths = [
      modules,
      `${modules}/${x}`,
      src,
      `${src}/${modules}/c`,
      `${src}/${x}/er/${x}.o`,
      `${src}/${x}.o`,
      `${src}/${x}.oo`,
    ];
    const everywhere = [modules, `${modules}/${x}`, `${src}/${modules}/c`];
    await ignores(paths, {
      [`**/${modules}`]: everywhere,
      [`**/**/${modules}`]: everywhere,
      [`/**/${modules}/`]: everywhere,
      [`${src}/**/*.o`]: [`${src}/${x}/er/${x}.o`, `${src}/${x}.o`],
      [`${src}/**/**/er`]: [`${src}/${x}/er/${x}.o`],
      '*.o': [],
      '**/*.o': [`${src}/${x}/er/${x}.o`, `${src}/${x}.o`],
      [`${src}/**`]: paths.slice(3),
      [`**\n!${src}/${x}`]: paths.filter((path) => !path.startsWith(`${src}/${x}/`)),
      '**': paths,
    });
    await ignoresAsTheEngine({ deep: true });
  });
});

describe('the cache', () => {
  const hash = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
  const nonce = () => draw.bytes(12).toString('hex');
  const file = (path: string, more: object = {}): SourceFile => ({
    path,
    type: 'file',
    mode: 0o644,
    mtime: draw.int(0, 2 ** 31),
    digest: hash(path),
    ...more,
  });
  const keyOf = async (parent: string, instruction: string, files: SourceFile[] = []) =>
    (await call('keyOf', parent, instruction, files)) as ReturnType<typeof reference.keyOf>;
  const key = async (parent: string, instruction: string, files: SourceFile[] = []) =>
    (await keyOf(parent, instruction, files)).key;

  test('task 5: a key is the digest of parent, instruction and files', async () => {
    const [parent, instruction] = [hash(nonce()), `RUN echo "${nonce()}"`];
    expect(await key(parent, instruction)).toBe(hash(JSON.stringify([parent, instruction, []])));
    const [a, b, c, d] = names(4, 'abcdefgh').sort() as [string, string, string, string];
    const mode = draw.int(0, 0o7777);
    const files = [
      file(a, { mode }),
      file(`${b}/link`, { type: 'symlink', digest: undefined, target: `../${a}`, mode: 0o777 }),
      file(c, { type: 'directory', digest: undefined, mode: 0o755 }),
      file(d, { target: a }),
    ];
    const described = [
      [a, 'file', mode, hash(a)],
      [`${b}/link`, 'symlink', 0o777, `../${a}`],
      [c, 'directory', 0o755, ''],
      [d, 'file', 0o644, hash(d)],
    ];
    expect(await key(parent, instruction, files)).toBe(hash(JSON.stringify([parent, instruction, described])));
    expect(await key(hash(nonce()), instruction), 'of the same step after another').not.toBe(
      await key(parent, instruction),
    );
  });

  test('task 5: mode, name and link target change a key; times and the order of files do not', async () => {
    const parent = hash(nonce());
    const [a, b, c] = names(3, 'abcdefgh') as [string, string, string];
    const paths = draw.some([b, a, a.toUpperCase(), `ä${b}`, `${a}/x`, `${a}-b`]);
    const files = paths.map((name) => file(name));
    const answered = await keyOf(parent, 'COPY', files);
    const first = answered.key;
    const described = [...files]
      .sort((one, other) => (one.path < other.path ? -1 : 1))
      .map(({ path, type, mode, digest }) => [path, type, mode, digest]);
    expect(first, 'sorted by code units').toBe(hash(JSON.stringify([parent, 'COPY', described])));
    expect(
      answered.files.map(({ path }) => path),
      'the list that was passed in, afterwards',
    ).toEqual(paths);
    const later = draw.some(paths).map((name) => file(name));
    expect(await key(parent, 'COPY', later), 'other times, another order').toBe(first);
    const link = (target: string) => file(a, { type: 'symlink', digest: undefined, target });
    const others = [
      await key(parent, 'COPY', [...files.slice(1), { ...files[0]!, mode: 0o755 }]),
      await key(parent, 'COPY', [...files.slice(1), { ...files[0]!, path: c }]),
      await key(parent, 'COPY', [...files.slice(1), { ...files[0]!, digest: hash(nonce()) }]),
      await key(parent, 'COPY', [link(b)]),
      await key(parent, 'COPY', [link(c)]),
      first,
    ];
    expect(new Set(others).size, 'the number of different keys').toBe(others.length);
  });
});

describe('a whole build', () => {
  /** A Dockerfile of three stages, and the context for it. */
  function drawnBuild() {
    const [arg, where, again, a, b] = names(5) as [string, string, string, string, string];
    const [files, unused, src, one, two, three, tool] = names(7, 'abcdefgh') as string[];
    const dockerfile = `# syntax=docker/dockerfile:1
ARG ${arg}=${draw.word()}
FROM scratch AS ${files}
ARG ${arg}
ENV ${where}=/srv/\${${arg}:-none} ${again}=1
WORKDIR \${${where}}
COPY ${src}/*.txt link ./
COPY <<EOF greeting
hello from $${where}
EOF
FROM scratch AS ${unused}
COPY not-there /
FROM scratch
COPY --from=${files} /srv /srv
COPY --chmod=755 ${tool} "/bin dir/"
CMD echo $${a}
ENV ${again}=2 ${a}="two words" ${b}='$${a}'
LABEL by=\${${arg}:-${draw.word()}}
EXPOSE ${draw.int(1, 65535)} ${draw.int(1, 65535)}/udp
ENTRYPOINT ["/${tool}"]
ONBUILD COPY . /app
`;
    const content: Record<string, string> = {
      Dockerfile: dockerfile,
      '.dockerignore': `**/*.txt\n!${src}/${one}.*\n!${src}/${two}.txt\n`,
      [`${src}/${one}.txt`]: draw.word(40),
      [`${src}/${two}.txt`]: draw.word(40),
      [`${src}/${three}.txt`]: draw.word(40),
      [`${src}/${three}.c`]: draw.word(40),
      [tool!]: draw.word(40),
    };
    return { content, link: `${src}/${three}.c`, tool: tool!, arg, target: files! };
  }

  interface Place {
    inside: { context: string; state: string };
    outside: { context: string; state: string };
  }

  /** A context that both can read, and a place for each to keep images in. */
  async function place({ content, link }: ReturnType<typeof drawnBuild>): Promise<Place> {
    if (process.platform !== 'linux') unsupported('images are kept with the owners of their files, which needs Linux');
    const { inside, outside } = await subject!.workDir();
    const state = mkdtempSync(join(tmpdir(), 'skiff-build-'));
    onTestFinished(() => rmSync(state));
    for (const [name, text] of Object.entries(content)) {
      mkdirSync(dirname(join(outside, name)), { recursive: true });
      writeFileSync(join(outside, name), text);
      // Whatever the umask of this process is.
      chmodSync(join(outside, name), 0o644);
      chmodSync(dirname(join(outside, name)), 0o755);
    }
    symlinkSync(link, join(outside, 'link'));
    return {
      inside: { context: inside, state: `${subject!.scratch}/${draw.word(12)}` },
      outside: { context: outside, state },
    };
  }

  test('task 5: a second build finds every step, and a changed file only those before it', async () => {
    const drawn = drawnBuild();
    const { inside, outside } = await place(drawn);
    const build = async () => (await call('build', { ...inside, yours: ['cacheKey'] })) as reference.Built;
    const first = await build();
    const none = first.cached.map(() => false);
    expect(first.cached, 'steps of the first build that came from the cache').toEqual(none);
    const tool = join(outside.context, drawn.tool);
    utimesSync(tool, 1, 1);
    const second = await build();
    const froms = [0, 6];
    const upTo = (step: number) => first.cached.map((_, index) => index < step && !froms.includes(index));
    expect(second.cached, 'steps from the cache when nothing but a time is new').toEqual(upTo(first.cached.length));
    expect(second.id, 'the image when nothing but a time is new').toBe(first.id);
    writeFileSync(tool, draw.word(41));
    const third = await build();
    expect(third.cached, 'steps from the cache when the file of step 9 is new').toEqual(upTo(8));
    expect(third.layers[0], 'the layer before the new file').toBe(first.layers[0]);
    expect(third.layers[1], 'the layer with the new file').not.toBe(first.layers[1]);
  });

  test('task 5: the image has the digest that the engine gives it', async () => {
    const drawn = drawnBuild();
    const { inside, outside } = await place(drawn);
    const yours = Object.keys(everything);
    for (const more of [{}, { target: drawn.target }, { buildArgs: { [drawn.arg]: draw.word() }, target: '0' }]) {
      const mine = (await call('build', { ...inside, ...more, yours })) as reference.Built;
      const theirs = await reference.build({ ...outside, ...more, yours: [] });
      // The digest stands for all of it, and says nothing about what differs.
      expect(mine.config, 'the configuration').toEqual(theirs.config);
      expect(mine.layers, 'the layers').toEqual(theirs.layers);
      expect(mine.cached, 'which steps came from the cache').toEqual(theirs.cached);
      expect(mine.id, 'the digest').toBe(theirs.id);
    }
  });

  const everything: Record<reference.BuildRequest['yours'][number], true> = {
    expand: true,
    variables: true,
    configure: true,
    stageOrder: true,
    findSources: true,
    ignoreFilter: true,
    cacheKey: true,
  };
});
