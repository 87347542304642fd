import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { draw } from '../../grader/harness/random.ts';
import { openSubject, type Subject } from '../../grader/harness/suite.ts';
import type * as driver from './pull.driver.ts';
import {
  anyDigest,
  bare,
  digestOf,
  drawnImage,
  drawnIndex,
  type Image,
  type ImageOptions,
  OCI,
  part,
  sent,
  tagged,
} from './testing/images.ts';

let subject: Subject | undefined;
beforeAll(async () => {
  subject = await openSubject();
});
afterAll(async () => {
  await subject?.[Symbol.asyncDispose]();
});

const call = async (name: keyof typeof driver, ...args: unknown[]): Promise<unknown> => subject!.call(name, ...args);

/** What an outcome is, in words if it is an error. */
function said(outcome: driver.Outcome): unknown {
  if (!('threw' in outcome)) return outcome.value;
  const { name, kind, message } = outcome.threw;
  return `(threw ${[name, kind].filter(Boolean).join(' ')}: ${message})`;
}

/** Each question with its answer, so that only what differs is shown. */
function answers(questions: string[], outcomes: unknown): Record<string, unknown> {
  return Object.fromEntries(
    questions.map((question, index) => [question, said((outcomes as driver.Outcome[])[index]!)]),
  );
}

/** Each of them must be a PullRefused of this kind. */
function expectAllRefused(questions: string[], outcomes: unknown, kind: string): void {
  const reds = questions.flatMap((question, index) => {
    const outcome = (outcomes as driver.Outcome[])[index]!;
    if ('threw' in outcome && outcome.threw.name === 'PullRefused' && outcome.threw.kind === kind) return [];
    const is = 'threw' in outcome ? said(outcome) : `accepted${shownValue(outcome.value)}`;
    return [`${question} should be refused with a PullRefused of the kind "${kind}"\nis ${is}`];
  });
  if (reds.length > 0) throw new Error(reds.join('\n'));
}

const shownValue = (value: unknown) => (value === undefined ? '' : `: ${JSON.stringify(value).slice(0, 300)}`);

function expectRefused(outcome: driver.Outcome, kind: string, what: string): void {
  expectAllRefused([what], [outcome], kind);
}

/** It must have thrown, whatever it is. */
function expectFailed(outcome: driver.Outcome, what: string): void {
  if ('value' in outcome) throw new Error(`${what} should fail\nis accepted${shownValue(outcome.value)}`);
}

/** The body of each answer was read to its end or given back. */
function expectClosed(asked: driver.Asked[]): void {
  const left = asked
    .filter(({ isLeft }) => isLeft)
    .map(({ path, read }) => `${path}, of which ${read} chunks were read`);
  if (left.length > 0)
    throw new Error(`Each body should be read to its end or discarded\nis neither: ${left.join('; ')}`);
}

/** It must not have thrown. @returns its value. */
function succeeded(outcome: driver.Outcome, what: string): unknown {
  if ('threw' in outcome) throw new Error(`${what} should succeed\nis ${said(outcome)}`);
  return outcome.value;
}

describe('names', () => {
  /** Lower-case letters and digits, not only hexadecimal ones. */
  const component = () => `${draw.word(draw.int(3, 6))}${draw.pick(['', '7', '.x', '_y', '__z', '-1', '---a'])}`;
  /** Not a host where it stands first. */
  const plain = () => component().replace('.', '_');
  const tag = () =>
    draw.pick([draw.word(), `V${draw.int(1, 9)}.${draw.int(0, 9)}-rc_1`, `_${draw.word()}`, `${draw.int(1, 99)}`]);
  const read = async (expected: Record<string, object>) => {
    const texts = draw.some(Object.keys(expected));
    expect(answers(texts, await call('readNames', texts))).toEqual(expected);
  };

  test('task 1: a familiar name stands for a complete one', async () => {
    const [one, other, below] = [plain(), component(), component()];
    await read({
      [one]: { domain: 'docker.io', path: `library/${one}` },
      [`${one}/${other}`]: { domain: 'docker.io', path: `${one}/${other}` },
      [`docker.io/${other}`]: { domain: 'docker.io', path: `library/${other}` },
      [`index.docker.io/${one}`]: { domain: 'docker.io', path: `library/${one}` },
      [`index.docker.io/${one}/${other}`]: { domain: 'docker.io', path: `${one}/${other}` },
      [`library/${one}`]: { domain: 'docker.io', path: `library/${one}` },
      [`docker.io/library/${one}/${below}`]: { domain: 'docker.io', path: `library/${one}/${below}` },
      localhost: { domain: 'docker.io', path: 'library/localhost' },
    });
  });

  test('task 1: a part with a dot, a colon or a capital, or localhost, is a host', async () => {
    const [one, other] = [component(), component()];
    const port = draw.int(1, 65535);
    const hosts = [
      'localhost',
      `localhost:${port}`,
      `${draw.word()}.${draw.word(3)}`,
      `${draw.word()}.x-${draw.word()}.org:${port}`,
      `${draw.word()}:${port}`,
      `${draw.word().toUpperCase()}`,
      `10.${draw.int(0, 255)}.0.1:${port}`,
      `[fe80::${draw.int(1, 9)}]:${port}`,
      '[::1]',
    ];
    await read(Object.fromEntries(hosts.map((domain) => [`${domain}/${one}`, { domain, path: one }])));
    const word = draw.word();
    await read({
      [`${hosts[2]}/${one}/${other}`]: { domain: hosts[2], path: `${one}/${other}` },
      [`${word}/${one}`]: { domain: 'docker.io', path: `${word}/${one}` },
      [`${word}/localhost`]: { domain: 'docker.io', path: `${word}/localhost` },
    });
  });

  test('task 1: a tag and a digest are read, alone and together', async () => {
    const [one, other, first, second] = [plain(), component(), tag(), tag()];
    const digest = anyDigest();
    const host = `localhost:${draw.int(1, 9999)}`;
    const long = `a${draw.word(127)}`;
    await read({
      [`${one}:${first}`]: { domain: 'docker.io', path: `library/${one}`, tag: first },
      [`${one}@${digest}`]: { domain: 'docker.io', path: `library/${one}`, digest },
      [`${one}/${other}:${second}@${digest}`]: { domain: 'docker.io', path: `${one}/${other}`, tag: second, digest },
      [`${host}/${other}:${long}`]: { domain: host, path: other, tag: long },
      [`${host}/${one}@${digest}`]: { domain: host, path: one, digest },
      [host]: { domain: 'docker.io', path: 'library/localhost', tag: host.slice('localhost:'.length) },
    });
  });

  test('task 1: a text that is not a name is refused, and quoted', async () => {
    const [one, host] = [plain(), `${draw.word()}.io`];
    const digest = anyDigest();
    const broken = draw.some([
      '',
      one.toUpperCase(),
      `${host}/${draw.word()}A`,
      `${one}//${one}`,
      `/${one}`,
      `${one}/`,
      `-${one}`,
      `${draw.word()}..${draw.word()}`,
      `${draw.word()}___${draw.word()}`,
      `${draw.word()}-_${draw.word()}`,
      `${draw.word()}.`,
      `${one}:`,
      `${one}:-${draw.word()}`,
      `${one}:${draw.word(129)}`,
      `${one}:${draw.word()}:${draw.word()}`,
      `${one}@`,
      `${one}@${digest.slice(0, -1)}`,
      `${one}@${digest}0`,
      `${one}@${digest.toUpperCase()}`,
      `${one}@sha512:${digest.slice(7)}`,
      `${one}@${digest}@${digest}`,
      `@${digest}`,
      digest.slice(7),
      `${one} `,
      `${one}\n`,
      `${host}/${one}\n`,
      `${one}:${draw.word()}\n`,
      `../${one}`,
      `${host}/../${one}`,
      `https://${host}/${one}`,
      `${host}:/${one}`,
      `${host}:x/${one}`,
      `-${host}/${one}`,
      `.${host}/${one}`,
      `[::1/${one}`,
      `${host}/${'a/'.repeat(127)}bc`,
      `${'b'.repeat(248)}`,
      `é${one}`,
    ]);
    const fine = [`${host}/${'a/'.repeat(127)}b`, 'b'.repeat(247), `${one}:${draw.word(128)}`];
    const outcomes = (await call('readNames', [...broken, ...fine])) as driver.Outcome[];
    const accepted = broken.filter((_, index) => 'value' in outcomes[index]!);
    expect(accepted, 'names that were not refused').toEqual([]);
    expect(
      outcomes.slice(broken.length).filter((outcome) => 'threw' in outcome),
      'names that are fine',
    ).toEqual([]);
    const quoted = `${draw.word()}..${draw.word()}`;
    const [outcome] = (await call('readNames', [quoted])) as driver.Outcome[];
    expect('threw' in outcome! && outcome.threw.message, 'the message of the error').toContain(quoted);
  });
});

describe('login', () => {
  type Parameters = [string, string][];
  const challenge = (scheme: string, parameters: Parameters = []): driver.Told => ({
    scheme,
    parameters: parameters.toSorted(([one], [other]) => (one < other ? -1 : 1)),
  });
  const read = async (expected: [string, driver.Told[]][]) => {
    const all = draw.some(expected);
    const headers = all.map(([header]) => header);
    expect(answers(headers, await call('readHeaders', headers))).toEqual(Object.fromEntries(all));
  };
  const anyRealm = () => `https://${draw.word()}.${draw.word(3)}/${draw.word()}`;

  test('task 2: a challenge has a scheme and parameters', async () => {
    const [realm, service, scope] = [anyRealm(), draw.word(), `repository:${draw.word()}/${draw.word()}:pull,push`];
    const bearer = challenge('bearer', [
      ['realm', realm],
      ['service', service],
      ['scope', scope],
    ]);
    await read([
      [`Bearer realm="${realm}",service="${service}",scope="${scope}"`, [bearer]],
      [`bearer  scope="${scope}" , REALM = "${realm}",\tService="${service}"`, [bearer]],
      [`BEARER realm=${realm},service=${service},scope="${scope}",`, [bearer]],
      [`Basic realm="${service}"`, [challenge('basic', [['realm', service]])]],
      [`Basic realm=""`, [challenge('basic', [['realm', '']])]],
      ['Negotiate', [challenge('negotiate')]],
      [
        `Basic realm="${service}",realm="other",__proto__="x"`,
        [
          challenge('basic', [
            ['realm', service],
            ['__proto__', 'x'],
          ]),
        ],
      ],
      ['', []],
      [' , ,', []],
    ]);
  });

  test('task 2: commas, equals signs, blanks and backslashes in quotes belong to the value', async () => {
    const [one, other] = [draw.word(), draw.word()];
    await read([
      [
        `Bearer realm="${one}, ${other}=1",a="b"`,
        [
          challenge('bearer', [
            ['realm', `${one}, ${other}=1`],
            ['a', 'b'],
          ]),
        ],
      ],
      [`Basic realm="say \\"${one}\\" \\\\ ${other}"`, [challenge('basic', [['realm', `say "${one}" \\ ${other}`]])]],
      [
        `Basic realm="\\${one}, Bearer x=\\"", y="z"`,
        [
          challenge('basic', [
            ['realm', `${one}, Bearer x="`],
            ['y', 'z'],
          ]),
        ],
      ],
      [
        `Bearer realm=https://${one}.io/?a=b&c=d==,service="${other}"`,
        [
          challenge('bearer', [
            ['realm', `https://${one}.io/?a=b&c=d==`],
            ['service', other],
          ]),
        ],
      ],
    ]);
  });

  test('task 2: several challenges in one header are told apart', async () => {
    const [realm, one, other] = [anyRealm(), draw.word(), draw.word()];
    const basic = challenge('basic', [['realm', one]]);
    const bearer = challenge('bearer', [
      ['realm', realm],
      ['service', other],
    ]);
    const data = `${draw.word()}${draw.int(1, 99)}${draw.pick(['', '=', '=='])}`;
    await read([
      [`Basic realm="${one}", Bearer realm="${realm}",service="${other}"`, [basic, bearer]],
      [`Bearer realm="${realm}",service="${other}", Basic realm="${one}"`, [bearer, basic]],
      [`Bearer service="${other}" , realm="${realm}",,Basic realm="${one}"`, [bearer, basic]],
      [`Negotiate, Basic realm="${one}"`, [challenge('negotiate'), basic]],
      [`Negotiate ${data}, Basic realm="${one}"`, [challenge('negotiate'), basic]],
      [`Basic realm="${one}", Negotiate ${data}`, [basic, challenge('negotiate')]],
      [`Basic realm="${one}", Bearer realm="${realm}`, [basic, challenge('bearer')]],
      [`Basic realm="${one}", "${other}", Bearer realm="${realm}"`, [basic]],
      [`realm="${one}", Basic`, []],
    ]);
  });

  const anyQuestion = (login?: { username: string; password: string }) => ({
    registry: `https://${draw.word()}.io/v2/`,
    scopes: Array.from({ length: draw.int(1, 3) }, () => `repository:${draw.word()}/${draw.word()}:pull`),
    ...(login && { login }),
  });
  const ask = async (asked: { parameters: Parameters; question: object }[]) =>
    (await call('askForTokens', asked)) as driver.Outcome[];
  const shownRequest = (outcome: driver.Outcome) => {
    if ('threw' in outcome) return said(outcome);
    const { url, headers } = outcome.value as { url: string; headers: Record<string, string> };
    const { origin, pathname, searchParams, username, password } = new URL(url);
    const names = [...new Set(searchParams.keys())];
    return {
      place: `${username}${password}${origin}${pathname}`,
      parameters: Object.fromEntries(names.map((name) => [name, searchParams.getAll(name)])),
      headers,
    };
  };

  test('task 2: a token is asked for with service, scopes and login', async () => {
    const [service, name, password] = [
      `${draw.word()} & ${draw.word()}`,
      `${draw.word()}+${draw.word()}`,
      `pä:ss ${draw.word()}%`,
    ];
    const login = { username: name, password };
    const authorization = `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
    for (const query of ['', `?${draw.word()}=${draw.int(1, 99)}`]) {
      const realm = anyRealm();
      const [key = '', value = ''] = query.slice(1).split('=');
      const own = query === '' ? {} : { [key]: [value] };
      const question = anyQuestion(login);
      const parameters: Parameters = [
        ['realm', realm + query],
        ['service', service],
        ['scope', 'repository:other:pull'],
      ];
      const [outcome] = await ask([{ parameters, question }]);
      expect(shownRequest(outcome!)).toEqual({
        place: realm,
        parameters: { ...own, service: [service], scope: question.scopes, account: [name] },
        headers: { authorization },
      });
    }
    const question = { ...anyQuestion(login), scopes: [] };
    const [outcome] = await ask([
      { parameters: [['realm', `https://${draw.word()}:${draw.word()}@tokens.io/t`]], question },
    ]);
    expect(shownRequest(outcome!), 'without service and scopes, and with a user in the realm').toEqual({
      place: 'https://tokens.io/t',
      parameters: { account: [name] },
      headers: { authorization },
    });
  });

  test('task 2: without a login the token server gets neither account nor password', async () => {
    const [realm, service] = [anyRealm(), draw.word()];
    const question = anyQuestion();
    const [outcome] = await ask([
      {
        parameters: [
          ['realm', realm],
          ['service', service],
        ],
        question,
      },
    ]);
    expect(shownRequest(outcome!)).toEqual({
      place: realm,
      parameters: { service: [service], scope: question.scopes },
      headers: {},
    });
  });

  test('task 2: a realm that a password must not go to is refused', async () => {
    const login = { username: draw.word(), password: draw.word() };
    const [secure, plain] = [`https://${draw.word()}.io/v2/`, `http://${draw.word()}.io/v2/`];
    const host = `${draw.word()}.io`;
    const allowed: [string, string][] = [
      [secure, `https://${host}/token`],
      [secure, `http://localhost:${draw.int(1, 9999)}/token`],
      [secure, `http://127.${draw.int(0, 255)}.${draw.int(0, 255)}.${draw.int(1, 254)}/token`],
      [secure, 'http://[::1]:5001/token'],
      [plain, `http://${host}/token`],
      [plain, `https://${host}/token`],
    ];
    const refused: [string, string | undefined][] = [
      [secure, `http://${host}/token`],
      [secure, `http://localhost.${host}/token`],
      [secure, `http://127.0.0.1.${host}/token`],
      [secure, undefined],
      [secure, ''],
      [secure, '/token'],
      [secure, `${host}/token`],
      [secure, `ftp://${host}/token`],
      [secure, 'file:///etc/passwd'],
      [plain, `javascript:alert(${draw.int(1, 9)})`],
      [plain, 'http://'],
    ];
    const askedWith = (registry: string, realm: string | undefined) => ({
      parameters: realm === undefined ? [] : ([['realm', realm]] as Parameters),
      question: { ...anyQuestion(login), registry },
    });
    const outcomes = await ask([...allowed, ...refused].map(([registry, realm]) => askedWith(registry, realm)));
    const isFine = (outcome: driver.Outcome) => 'value' in outcome;
    expect(outcomes.slice(0, allowed.length).filter(isFine), `fine realms: ${allowed.join(' ')}`).toHaveLength(
      allowed.length,
    );
    const names = refused.map(([registry, realm]) => `${realm} for ${registry}`);
    expectAllRefused(names, outcomes.slice(allowed.length), 'protocol');
  });

  const followed = async (asked: { request: { url: string; headers: Record<string, string> }; location: string }[]) =>
    (await call('follow', asked)) as driver.Outcome[];
  const shownNext = (outcome: driver.Outcome) =>
    'threw' in outcome ? said(outcome) : (outcome.value as { next: object }).next;

  test('task 2: a redirect to another host, port or scheme gets no authorization', async () => {
    const [host, blob] = [`${draw.word()}.io`, `v2/${draw.word()}/blobs/${anyDigest()}`];
    const headers = { accept: draw.word(), range: `bytes=${draw.int(1, 99)}-`, authorization: `Bearer ${draw.word()}` };
    const { authorization, ...others } = headers;
    const asked = [
      [`https://${host}/${blob}`, `https://${draw.word()}.cdn.org/${draw.word()}?signature=${draw.word()}`],
      [`https://${host}/${blob}`, `https://${host}:8443/${draw.word()}`],
      [`http://${host}/${blob}`, `https://${host}/${draw.word()}`],
      [`https://${host}/${blob}`, `https://x.${host}/${draw.word()}`],
      [`https://${host}/${blob}`, `//${draw.word()}.org/${draw.word()}`],
      [`https://${host}/${blob}`, `https://${host}@${draw.word()}.org/`],
    ] as const;
    const outcomes = await followed(asked.map(([url, location]) => ({ request: { url, headers }, location })));
    const expected = asked.map(([url, location]) => {
      const next = new URL(location, url);
      next.username = '';
      return { next: { url: next.href, headers: others }, request: { url, headers } };
    });
    expect(outcomes.map((outcome) => ('threw' in outcome ? said(outcome) : outcome.value))).toEqual(expected);
    const [kept] = await followed([{ request: { url: `https://${host}/a`, headers }, location: `https://${host}/b` }]);
    expect(shownNext(kept!), 'at the same host').toEqual({
      url: `https://${host}/b`,
      headers: { ...others, authorization },
    });
  });

  test('task 2: a redirect within a host keeps all headers', async () => {
    const [host, one] = [`${draw.word()}.io`, draw.word()];
    const port = draw.int(1024, 9999);
    const headers = { accept: draw.word(), authorization: `Bearer ${draw.word()}` };
    const cases = {
      [`https://${host}/v2/a/b`]: {
        [`/${one}/x?y=z`]: `https://${host}/${one}/x?y=z`,
        [one]: `https://${host}/v2/a/${one}`,
      },
      [`https://${host}:443/v2/`]: { [`https://${host.toUpperCase()}/${one}`]: `https://${host}/${one}` },
      [`http://${host}:${port}/v2/`]: {
        [`http://${host}:${port}/${one}`]: `http://${host}:${port}/${one}`,
        '../x': `http://${host}:${port}/x`,
      },
      [`https://${host}/`]: { [`https://${one}:secret@${host}/y`]: `https://${host}/y` },
    };
    for (const [url, places] of Object.entries(cases))
      for (const [location, next] of Object.entries(places)) {
        const [outcome] = await followed([{ request: { url, headers }, location }]);
        expect(shownNext(outcome!), `${location} from ${url}`).toEqual({ url: next, headers });
      }
    const [bare] = await followed([{ request: { url: `http://${host}/`, headers: {} }, location: 'x' }]);
    expect(shownNext(bare!), 'without headers').toEqual({ url: `http://${host}/x`, headers: {} });
  });

  test('task 2: a redirect that leaves http, or gives TLS up, is refused', async () => {
    const host = `${draw.word()}.io`;
    const headers = { authorization: `Bearer ${draw.word()}` };
    const refused = [
      [`https://${host}/x`, `http://${host}/x`],
      [`https://${host}/x`, 'http://localhost/x'],
      [`http://${host}/x`, `ftp://${host}/x`],
      [`http://${host}/x`, 'file:///etc/shadow'],
      [`https://${host}/x`, `data:,${draw.word()}`],
      [`https://${host}/x`, 'https://'],
      [`https://${host}/x`, 'http://[::x]/'],
    ] as const;
    const outcomes = await followed(refused.map(([url, location]) => ({ request: { url, headers }, location })));
    const names = refused.map(([url, location]) => `${location} from ${url}`);
    expectAllRefused(names, outcomes, 'protocol');
    const [fine] = await followed([
      { request: { url: `http://${host}/x`, headers: {} }, location: `https://${host}/x` },
    ]);
    expect(shownNext(fine!), 'from http to https').toEqual({ url: `https://${host}/x`, headers: {} });
  });
});

describe('platforms', () => {
  const entry = (platform?: object | null, annotations?: Record<string, string>) => ({
    mediaType: `${OCI}.manifest.v1+json`,
    digest: anyDigest(),
    size: draw.int(100, 5000),
    ...(platform !== undefined && { platform }),
    ...(annotations && { annotations }),
  });
  type Entry = ReturnType<typeof entry>;
  const on = (architecture: string, variant?: string, os = 'linux') =>
    entry({ os, architecture, ...(variant !== undefined && { variant }) });
  const unknown = { os: 'unknown', architecture: 'unknown' };
  const proof = (platform = draw.pick([unknown, { os: 'linux', architecture: 'amd64' }])) =>
    entry(platform, {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': anyDigest(),
    });
  const nameOf = (each?: Entry) => (each === undefined ? 'nothing' : JSON.stringify(each.platform ?? null));
  const chosen = async (cases: { manifests: Entry[]; platform: object; should: Entry }[]) => {
    const outcomes = (await call(
      'choose',
      cases.map(({ manifests, platform }) => ({ manifests, platform })),
    )) as driver.Outcome[];
    for (const [index, { manifests, platform, should }] of cases.entries()) {
      const outcome = outcomes[index]!;
      const is =
        'threw' in outcome ? said(outcome) : `${nameOf(manifests[outcome.value as number])}, number ${outcome.value}`;
      const all = manifests.map(nameOf).join(', ');
      expect(is, `for ${Object.values(platform).join('/')} of ${all}`).toBe(
        `${nameOf(should)}, number ${manifests.indexOf(should)}`,
      );
    }
  };

  test('task 3: the image of the platform is chosen, wherever it stands', async () => {
    const cases = Array.from({ length: 6 }, () => {
      const names = draw.some(['amd64', 'arm64', 's390x', 'riscv64', 'ppc64le', '386'], draw.int(2, 6));
      const images = names.map((name) => on(name));
      const should = draw.pick(images);
      const architecture = names[images.indexOf(should)]!;
      // The same for another system, the same again, and an entry that is for any.
      const others = [on(architecture, undefined, 'windows'), entry(), entry(null)];
      const manifests = [...draw.some([...images, ...others]), on(architecture)];
      return { manifests, platform: { os: 'linux', architecture }, should };
    });
    await chosen(cases);
    const windows = on('amd64', undefined, 'windows');
    await chosen([
      { manifests: [on('amd64'), windows], platform: { os: 'windows', architecture: 'amd64' }, should: windows },
    ]);
  });

  test('task 3: of several variants the highest that runs is chosen', async () => {
    const [v5, v6, v7, v8, bare] = [on('arm', 'v5'), on('arm', 'v6'), on('arm', 'v7'), on('arm', 'v8'), on('arm')];
    const arm = (variant?: string) => ({ os: 'linux', architecture: 'arm', ...(variant !== undefined && { variant }) });
    const [ten, nine] = [on('arm64', 'v10'), on('arm64', 'v9')];
    const [odd, other] = [on('arm', 'soft'), on('arm', 'v')];
    await chosen([
      { manifests: draw.some([v5, v6, v7, v8]), platform: arm('v6'), should: v6 },
      { manifests: draw.some([v5, v6, v7, v8]), platform: arm(), should: v7 },
      { manifests: draw.some([v5, v6, v7, v8]), platform: arm(''), should: v7 },
      { manifests: draw.some([v5, v8]), platform: arm('v7'), should: v5 },
      { manifests: [v6, bare, v7], platform: arm('v8'), should: bare },
      { manifests: [v6, v7, bare], platform: arm('v7'), should: v7 },
      { manifests: [v5, bare], platform: arm('v6'), should: v5 },
      {
        manifests: draw.some([ten, nine, on('arm64')]),
        platform: { os: 'linux', architecture: 'arm64', variant: 'v12' },
        should: ten,
      },
      { manifests: [odd, other, v7], platform: arm('soft'), should: odd },
      { manifests: [odd, other, v6], platform: arm('v7'), should: v6 },
    ]);
    const [first, second, third] = [on('amd64', 'v1'), on('amd64', 'v2'), on('amd64', 'v3')];
    const amd = { os: 'linux', architecture: 'amd64' };
    const [empty, v0] = [on('s390x', ''), on('s390x', 'v1')];
    await chosen([
      { manifests: draw.some([first, second, third]), platform: amd, should: first },
      { manifests: draw.some([first, second, third]), platform: { ...amd, variant: 'v2' }, should: second },
      { manifests: draw.some([empty, v0]), platform: { os: 'linux', architecture: 's390x' }, should: empty },
      { manifests: draw.some([on('arm64', 'v9'), ten, bare]), platform: arm('v7'), should: bare },
    ]);
  });

  test('task 3: a proof of how an image was made is never chosen', async () => {
    const image = on('amd64');
    const platform = { os: 'linux', architecture: 'amd64' };
    const only = entry();
    await chosen(
      [
        { manifests: [proof(), proof(), image, proof()], platform, should: image },
        { manifests: [proof(), only, proof()], platform, should: only },
        {
          manifests: [entry({ os: 'linux', architecture: 'amd64' }, { other: draw.word() })],
          platform,
          should: entry(),
        },
      ].slice(0, 2),
    );
    const noted = entry({ os: 'linux', architecture: 'amd64' }, { [draw.word()]: draw.word() });
    await chosen([{ manifests: [proof(), noted], platform, should: noted }]);
    const manifests = [proof(), proof()];
    const [outcome, unnamed] = (await call('choose', [
      { manifests, platform },
      { manifests: [on('unknown', undefined, 'unknown')], platform: unknown },
    ])) as driver.Outcome[];
    expectRefused(outcome!, 'not-found', 'an index of proofs only');
    expectRefused(unnamed!, 'not-found', 'an entry for an unknown architecture');
  });

  test('task 3: a single image without a platform is chosen', async () => {
    const platform = { os: 'linux', architecture: draw.pick(['amd64', 'arm64']) };
    const [absent, isNull] = [entry(), entry(null)];
    const image = on(platform.architecture);
    await chosen([
      { manifests: [absent], platform, should: absent },
      { manifests: [isNull], platform, should: isNull },
      { manifests: [absent, image, isNull], platform, should: image },
    ]);
    const outcomes = await call('choose', [
      { manifests: [absent, isNull], platform },
      { manifests: [absent, on('s390x')], platform },
      { manifests: [on('s390x')], platform },
      { manifests: [], platform },
    ]);
    const names = [
      'two without a platform',
      'one without, and one for another',
      'a single one for another',
      'an empty index',
    ];
    expectAllRefused(names, outcomes, 'not-found');
  });

  test('task 3: if no image fits, the error lists the platforms of the index', async () => {
    const manifests = draw.some([
      on('s390x'),
      on('arm', 'v6'),
      on('arm', 'v5'),
      on('arm64', 'v8'),
      on('amd64', undefined, 'windows'),
      on('constructor'),
    ]);
    const platform = draw.pick([
      { os: 'linux', architecture: 'riscv64' },
      { os: 'linux', architecture: 'amd64', variant: 'v3' },
    ]);
    const proofs = [proof(unknown), proof()];
    const [outcome] = (await call('choose', [{ manifests: [...manifests, ...proofs], platform }])) as driver.Outcome[];
    expectRefused(outcome!, 'not-found', `an index without ${JSON.stringify(platform)}`);
    const { message } = (outcome as { threw: { message: string } }).threw;
    const named = [
      'linux/s390x',
      'linux/arm/v6',
      'linux/arm/v5',
      'linux/arm64/v8',
      'windows/amd64',
      'linux/constructor',
    ];
    for (const name of [Object.values(platform).join('/'), ...named]) expect(message).toContain(name);
    expect(message).not.toContain('unknown/unknown');
  });
});

describe('downloads', () => {
  const blobOf = (bytes: Uint8Array) => ({ digest: digestOf(bytes), size: bytes.length });
  const fetched = async (asked: Partial<driver.Download> & Pick<driver.Download, 'answers' | 'blob'>) => {
    const download = (await call('downloadBlob', { firstWait: 1, ...asked })) as driver.Downloaded;
    expectClosed(download.asked);
    return download;
  };
  /** The first `length` bytes, and then the connection breaks. */
  const broken = (bytes: Uint8Array, length: number): driver.Answer => ({
    ...sent(bytes.subarray(0, length)),
    headers: {},
    tail: 'break',
  });
  const partial = (bytes: Uint8Array, from: number, start = from): driver.Answer => ({
    ...sent(bytes.subarray(from)),
    status: 206,
    headers: { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` },
  });
  const anyBytes = () => draw.bytes(draw.int(200, 5000));
  const kindsOf = ({ events }: driver.Downloaded) =>
    events.map(({ type }) => type).filter((type) => type !== 'downloading');
  const rangesOf = ({ asked }: driver.Downloaded) => asked.map(({ headers }) => headers.range ?? 'none');

  function expectBytes(download: driver.Downloaded, bytes: Uint8Array): void {
    succeeded(download.ended, 'The download');
    expect({ size: download.bytes.length, digest: digestOf(download.bytes) }, 'what was given on').toEqual({
      size: bytes.length,
      digest: digestOf(bytes),
    });
  }

  test('task 4: the bytes are given on as they come, by one request', async () => {
    for (const bytes of [anyBytes(), draw.bytes(1), draw.bytes(0), draw.bytes(draw.int(150_000, 200_000))]) {
      const blob = blobOf(bytes);
      const headers: Record<string, string> = draw.boolean() ? { 'content-length': String(bytes.length) } : {};
      const download = await fetched({ answers: [{ ...sent(bytes), headers }], blob });
      expectBytes(download, bytes);
      expect(
        download.asked.map(({ path }) => path),
        'what was asked for',
      ).toEqual([`blobs/${blob.digest}`]);
      expect(rangesOf(download), 'the header range').toEqual(['none']);
      expect(kindsOf(download), 'the events').toEqual(['downloaded']);
    }
  });

  test('task 4: what has come is told at least every 512 KiB, and at the end', async () => {
    const chunk = draw.bytes(64 * 1024);
    const count = draw.int(17, 30);
    const bytes = Buffer.concat(Array.from({ length: count }, () => chunk));
    const blob = blobOf(bytes);
    for (const cut of [count, draw.int(9, 16)]) {
      // The bytes would not fit into one line to the judge.
      const large = (await call('downloadLarge', { chunk, count, cut, blob })) as Omit<driver.Downloaded, 'bytes'>;
      succeeded(large.ended, 'The download');
      expectClosed(large.asked);
      const what = cut < count ? ` of a download that broke after ${cut * chunk.length} bytes` : '';
      const told = large.events.flatMap((event) => (event.type === 'downloading' ? [event] : []));
      const steps = told.map(({ current }, index) => current - (told[index - 1]?.current ?? 0));
      expect(told.at(-1)?.current, `current in the last event${what}`).toBe(bytes.length);
      expect(Math.max(...steps), `bytes between two events${what}`).toBeLessThanOrEqual(512 * 1024 + chunk.length);
      expect(Math.min(...steps), `bytes between two events${what}`).toBeGreaterThanOrEqual(0);
      expect([...new Set(told.map(({ total }) => total))], `total in the events${what}`).toEqual([blob.size]);
      const digests = new Set(large.events.map((event) => (event as { digest?: string }).digest));
      expect([...digests], `digest in the events${what}`).toEqual([blob.digest]);
      expect(large.events.at(-1), `the event after all${what}`).toEqual({ type: 'downloaded', digest: blob.digest });
    }
  });

  test('task 4: bytes with another digest are refused at their end', async () => {
    for (const size of [draw.int(200, 5000), 1, 0]) {
      const bytes = draw.bytes(size);
      const lie = Buffer.from(bytes);
      if (size > 0) lie[draw.int(0, size - 1)]! ^= 1 << draw.int(0, 7);
      const blob = { digest: size > 0 ? blobOf(bytes).digest : anyDigest(), size };
      const download = await fetched({ answers: [sent(lie)], blob });
      expectRefused(download.ended, 'protocol', `${size} bytes with another digest`);
      expect(
        download.events.filter(({ type }) => type === 'downloaded'),
        'the event `downloaded`',
      ).toEqual([]);
      expect(download.asked, 'requests').toHaveLength(1);
      if (size > 0) expectBytes(await fetched({ answers: [sent(bytes)], blob }), bytes);
    }
  });

  test('task 4: more bytes than the size are refused, and not read', async () => {
    const bytes = anyBytes();
    const blob = blobOf(bytes);
    const more = Buffer.concat([bytes, draw.bytes(draw.int(1, 50))]);
    const [announced, silent, behind, forever] = [
      await fetched({ answers: [sent(more)], blob }),
      await fetched({ answers: [{ ...sent(more), headers: {} }], blob }),
      await fetched({ answers: [{ chunks: [bytes, more.subarray(bytes.length)] }], blob }),
      await fetched({ answers: [{ chunks: [bytes.subarray(0, 100)], tail: 'forever' }], blob }),
    ];
    expectRefused(announced.ended, 'protocol', 'a content-length that is larger than the size');
    expect(announced.bytes.length, 'bytes given on of an answer that is announced as too long').toBe(0);
    expectRefused(silent.ended, 'protocol', `${more.length} bytes instead of ${bytes.length}`);
    expect(silent.bytes.length, 'bytes given on').toBeLessThanOrEqual(bytes.length);
    expectRefused(behind.ended, 'protocol', `${more.length - bytes.length} bytes that come after the last one`);
    expect(behind.bytes.length, 'bytes given on').toBeLessThanOrEqual(bytes.length);
    expectRefused(forever.ended, 'protocol', 'bytes without an end');
    expect(forever.asked[0]!.read, 'chunks of 100 bytes that were read').toBeLessThanOrEqual(
      Math.ceil(bytes.length / 100) + 2,
    );
    expectBytes(await fetched({ answers: [sent(bytes)], blob }), bytes);
  });

  test('task 4: after a break the download goes on where it was', async () => {
    const bytes = anyBytes();
    const blob = blobOf(bytes);
    const [first, second] = [draw.int(1, 90), draw.int(91, 190)];
    const short = {
      ...sent(bytes.subarray(first, second)),
      status: 206,
      headers: { 'content-range': `bytes ${first}-${bytes.length - 1}/*` },
    };
    const download = await fetched({ answers: [broken(bytes, first), short, partial(bytes, second)], blob });
    expectBytes(download, bytes);
    expect(rangesOf(download), 'the header range of each request').toEqual([
      'none',
      `bytes=${first}-`,
      `bytes=${second}-`,
    ]);
    expect(kindsOf(download), 'the events').toEqual(['retrying', 'retrying', 'downloaded']);
    const unreached = { error: { kind: 'unreachable', message: 'Nobody is there.' } };
    const early = await fetched({ answers: [unreached, broken(bytes, 0), sent(bytes)], blob });
    expectBytes(early, bytes);
    expect(rangesOf(early), 'the header range while nothing has come').toEqual(['none', 'none', 'none']);
  });

  test('task 4: a break after the last byte needs no further request', async () => {
    const bytes = anyBytes();
    const blob = blobOf(bytes);
    const download = await fetched({ answers: [broken(bytes, bytes.length)], blob });
    expectBytes(download, bytes);
    expect(download.asked, 'requests').toHaveLength(1);
    const [from, lie] = [draw.int(1, 99), draw.bytes(bytes.length)];
    const resumed = await fetched({ answers: [broken(bytes, from), { ...partial(bytes, from), tail: 'break' }], blob });
    expectBytes(resumed, bytes);
    expectRefused(
      (await fetched({ answers: [broken(lie, lie.length)], blob })).ended,
      'protocol',
      'other bytes, and a break',
    );
  });

  test('task 4: bytes that come once more are skipped', async () => {
    const bytes = anyBytes();
    const blob = blobOf(bytes);
    const first = draw.int(50, 190);
    const ignorant = await fetched({ answers: [broken(bytes, first), sent(bytes)], blob });
    expectBytes(ignorant, bytes);
    expect(rangesOf(ignorant)).toEqual(['none', `bytes=${first}-`]);
    expectBytes(
      await fetched({ answers: [broken(bytes, first), partial(bytes, draw.int(0, first - 1))], blob }),
      bytes,
    );
    const twice = [broken(bytes, first), broken(bytes, draw.int(first + 1, 199)), sent(bytes)];
    expectBytes(await fetched({ answers: twice, blob }), bytes);
    // Again from the beginning, and less than there was before.
    const less = [broken(bytes, first), broken(bytes, draw.int(1, first - 1)), partial(bytes, first)];
    const download = await fetched({ answers: less, blob });
    expectBytes(download, bytes);
    expect(rangesOf(download)).toEqual(['none', `bytes=${first}-`, `bytes=${first}-`]);
  });

  test('task 4: a range that begins later, or does not say where, is refused', async () => {
    const bytes = anyBytes();
    const blob = blobOf(bytes);
    const first = draw.int(50, 150);
    const later = await fetched({ answers: [broken(bytes, first), partial(bytes, first + draw.int(1, 40))], blob });
    expectRefused(later.ended, 'protocol', 'a range that begins later');
    expect(later.bytes.length, 'bytes given on').toBe(first);
    for (const headers of [
      {},
      { 'content-range': `bytes */${bytes.length}` },
      { 'content-range': draw.word() },
    ] as Record<string, string>[]) {
      const answer = { ...partial(bytes, first), headers };
      expectRefused(
        (await fetched({ answers: [broken(bytes, first), answer], blob })).ended,
        'protocol',
        `206 with ${JSON.stringify(headers)}`,
      );
    }
    const long = {
      ...partial(bytes, first),
      headers: { 'content-range': `bytes ${first}-`, 'content-length': String(bytes.length) },
    };
    expectRefused(
      (await fetched({ answers: [broken(bytes, first), long], blob })).ended,
      'protocol',
      'a range that is too long',
    );
    // Without `range` there is nothing that a part could be of.
    for (const answer of [partial(bytes, first), { ...partial(bytes, first), headers: {} }]) {
      const unasked = await fetched({ answers: [answer, sent(bytes)], blob });
      expectFailed(unasked.ended, 'A 206 to a request without range');
      expect(unasked.bytes.length, 'bytes given on of a 206 to a request without range').toBe(0);
      expect(unasked.asked, 'requests').toHaveLength(1);
    }
    expectBytes(await fetched({ answers: [broken(bytes, first), partial(bytes, first)], blob }), bytes);
  });

  test('task 4: the wait doubles, and the fifth break in a row is thrown', async () => {
    const bytes = anyBytes();
    const blob = blobOf(bytes);
    const first = draw.int(50, 150);
    const [nothing, last] = [
      { tail: 'break' as const, status: 206, headers: { 'content-range': `bytes ${first}-${bytes.length - 1}/*` } },
      draw.word(),
    ];
    const firstWait = draw.int(15, 25);
    const end = { error: { kind: 'unreachable', message: last } };
    const download = await fetched({
      answers: [broken(bytes, first), nothing, nothing, nothing, end, sent(bytes)],
      blob,
      firstWait,
    });
    expect(said(download.ended), 'the fifth break in a row').toBe(`(threw RegistryError unreachable: ${last})`);
    expect(download.asked, 'requests').toHaveLength(5);
    const pauses = download.asked.slice(1).map(({ at }, index) => at - download.asked[index]!.at);
    for (const [index, pause] of pauses.entries())
      if (pause < firstWait * 2 ** index - 2)
        throw new Error(
          `Before request ${index + 2} there should be a wait of ${firstWait * 2 ** index} ms, and it came after ${Math.round(pause)} ms.`,
        );
    const seconds = (events: driver.Downloaded['events']) =>
      events.flatMap((event) => (event.type === 'retrying' ? [event.seconds] : []));
    expect(seconds(download.events), 'the seconds of the events `retrying`').toEqual([1, 1, 1, 1]);
    // Each new byte begins the row anew.
    const drops = Array.from({ length: 7 }, (_, index) => ({
      ...partial(bytes, index + 1),
      chunks: [bytes.subarray(index + 1, index + 2)],
      tail: 'break' as const,
    }));
    const slow = await fetched({ answers: [broken(bytes, 1), ...drops, partial(bytes, 8)], blob });
    expectBytes(slow, bytes);
    expect(slow.asked, 'requests while each brings a byte').toHaveLength(9);
  });

  test('task 4: an error that does not pass is thrown at once', async () => {
    const bytes = anyBytes();
    const blob = blobOf(bytes);
    const first = draw.int(1, 150);
    type Answers = (error: { kind: string; message: string }) => driver.Answer[];
    const places: [string, Answers][] = [
      ['instead of the first answer', (error) => [{ error }]],
      ['after a break', (error) => [broken(bytes, first), { error }]],
      ['in the middle of a body', (breaksBy) => [{ ...broken(bytes, first), breaksBy }]],
    ];
    for (const kind of ['unauthorized', 'not-found', 'server', 'protocol'])
      for (const [place, answersOf] of draw.some(places)) {
        const message = draw.word();
        const answers = answersOf({ kind, message });
        const download = await fetched({ answers: [...answers, sent(bytes)], blob });
        expect(said(download.ended), `an error ${place}`).toBe(`(threw RegistryError ${kind}: ${message})`);
        expect(download.asked, `requests, with an error ${place}`).toHaveLength(answers.length);
      }
    expectBytes(await fetched({ answers: [sent(bytes)], blob }), bytes);
  });

  test('task 4: a cancelled download ends with its reason, also while it waits', async () => {
    const bytes = anyBytes();
    const blob = blobOf(bytes);
    const reason = draw.word();
    const half = { ...sent(bytes.subarray(0, 100)), headers: {}, tail: 'never' as const };
    const read = await fetched({ answers: [half], blob, cancel: { at: 100, reason } });
    expect(said(read.ended), 'cancelled while bytes come').toBe(`(threw Error: ${reason})`);
    expect(read.asked, 'requests').toHaveLength(1);
    const waits = await fetched({
      answers: [broken(bytes, 50), partial(bytes, 50)],
      blob,
      firstWait: 3_600_000,
      cancel: { at: 'retrying', reason },
    });
    expect(said(waits.ended), 'cancelled during a wait of an hour').toBe(`(threw Error: ${reason})`);
    expect(waits.asked, 'requests').toHaveLength(1);
    expect(waits.events.filter(({ type }) => type === 'retrying')).toEqual([
      { type: 'retrying', digest: blob.digest, seconds: 3600 },
    ]);
    expectBytes(await fetched({ answers: [sent(bytes)], blob }), bytes);
  });
});

describe('pulls', () => {
  const platform = { os: 'linux', architecture: 'amd64' };
  const pulled = async (asked: Partial<driver.Pull> & Pick<driver.Pull, 'answers' | 'reference'>) => {
    const pull = (await call('pullImage', { platform, concurrency: 3, ...asked })) as driver.Pulled;
    expectClosed(pull.asked);
    return pull;
  };
  /** An image under a tag. */
  const offered = (options: ImageOptions = {}, headers: Record<string, string> = {}) => {
    const image = drawnImage(options);
    const reference = draw.word();
    return {
      image,
      reference,
      answers: { ...image.answers, [`manifests/${reference}`]: tagged(image.manifest, headers) },
    };
  };
  const wantedOf = ({ layers }: Image) => layers.map((layer) => ({ ...bare(layer), diffId: layer.diffId }));
  const resultOf = (image: Image, named = image.manifest) => ({
    named: bare(named),
    manifest: bare(image.manifest),
    config: image.config.digest,
    layers: wantedOf(image),
  });
  const documents = ({ log }: driver.Pulled) => log.filter((line) => line.startsWith('document'));
  const paths = ({ asked }: driver.Pulled) => asked.map(({ path }) => path);

  function expectNothing(pull: driver.Pulled, manifest: { digest: string }): void {
    expect(pull.log, 'what was stored').not.toContain(`document ${manifest.digest}`);
  }

  test('task 5: a tag leads to manifest, configuration and layers', async () => {
    const { image, reference, answers } = offered({ layers: draw.int(1, 5) });
    const pull = await pulled({ answers, reference });
    expect(succeeded(pull.ended, 'The pull')).toEqual(resultOf(image));
    expect(paths(pull).toSorted(), 'what was asked for').toEqual(
      [`manifests/${reference}`, ...[image.config, ...image.layers].map(({ digest }) => `blobs/${digest}`)].toSorted(),
    );
    const accept = pull.asked[0]!.headers.accept ?? '';
    for (const type of [
      'oci.image.manifest.v1',
      'oci.image.index.v1',
      'docker.distribution.manifest.v2',
      'docker.distribution.manifest.list.v2',
    ])
      expect(accept, 'the header accept').toContain(`application/vnd.${type}+json`);
    expect(pull.events[0], 'the first event').toEqual({ type: 'layers', layers: wantedOf(image) });
    const done = pull.events.filter(({ type }) => type === 'done');
    expect(done.length, 'events `done`').toBe(image.layers.length);
    for (const { digest } of image.layers) expect(pull.log, 'what the store did').toContain(`end ${digest}`);
  });

  test('task 5: the manifest is stored last, after everything that it names', async () => {
    const { image, reference, answers } = offered();
    const { log, ended } = await pulled({ answers, reference, concurrency: draw.int(1, 4) });
    expect(succeeded(ended, 'The pull')).toEqual(resultOf(image));
    expect(log.slice(-2), 'the end of what was stored').toEqual([`document ${image.manifest.digest}`, 'over']);
    expect(
      log.filter((line) => line === `document ${image.config.digest}`),
      'the configuration',
    ).toHaveLength(1);
  });

  /** `depth` indexes around the manifest. */
  function nested(image: Image, depth: number) {
    const answers: Record<string, driver.Answer> = { ...image.answers };
    let inner = image.manifest;
    for (let level = 0; level < depth; level++) {
      const other = drawnImage({ architecture: 's390x' });
      const entries = [
        { ...bare(inner), platform },
        { ...bare(other.manifest), platform: { os: 'linux', architecture: 's390x' } },
      ];
      inner = drawnIndex(draw.some(entries));
      answers[`manifests/${inner.digest}`] = tagged(inner);
    }
    const reference = draw.word();
    return { outer: inner, reference, answers: { ...answers, [`manifests/${reference}`]: tagged(inner) } };
  }

  test('task 5: an index leads to the manifest of the platform, up to three deep', async () => {
    for (const depth of [1, 2, 3]) {
      const image = drawnImage();
      const { outer, reference, answers } = nested(image, depth);
      const pull = await pulled({ answers, reference });
      expect(succeeded(pull.ended, `${depth} indexes`), `${depth} indexes`).toEqual(resultOf(image, outer));
      expect(
        pull.asked.filter(({ path }) => path.startsWith('manifests/')),
        'requests for manifests',
      ).toHaveLength(depth + 1);
      for (const { path, headers } of pull.asked)
        if (path.startsWith('manifests/')) expect(headers.accept, `accept of ${path}`).toContain('manifest.v1+json');
    }
    const image = drawnImage();
    const { reference, answers } = nested(image, 4);
    const pull = await pulled({ answers, reference });
    expectRefused(pull.ended, 'protocol', 'four indexes in each other');
    expectNothing(pull, image.manifest);
    const other = nested(drawnImage(), 1);
    const asked = { ...other, platform: { os: 'linux', architecture: 'arm64' } };
    expectRefused((await pulled(asked)).ended, 'not-found', 'an index without the platform');
  });

  test('task 5: a document with another digest or size is refused', async () => {
    const flipped = (bytes: Buffer) =>
      Buffer.from(bytes.toString().replace(/[0-9a-f]{9}/, (text) => [...text].toReversed().join('')));
    const lies: [string, (image: Image, outer: ReturnType<typeof nested>) => Record<string, driver.Answer>][] = [
      [
        'a manifest that is not the one of docker-content-digest',
        ({ manifest }, { outer, reference }) => ({
          [`manifests/${reference}`]: tagged({ ...outer, bytes: Buffer.concat([outer.bytes, Buffer.from(' ')]) }),
          [manifest.digest]: {},
        }),
      ],
      [
        'a manifest of an index with other bytes',
        ({ manifest }) => ({
          [`manifests/${manifest.digest}`]: tagged({ ...manifest, bytes: flipped(manifest.bytes) }),
        }),
      ],
      [
        'a manifest of an index that is longer',
        ({ manifest }) => ({
          [`manifests/${manifest.digest}`]: tagged({
            ...manifest,
            bytes: Buffer.concat([manifest.bytes, Buffer.from('\n')]),
          }),
        }),
      ],
      [
        'a configuration with other bytes',
        ({ config }) => ({ [`blobs/${config.digest}`]: sent(flipped(config.bytes)) }),
      ],
      [
        'a configuration that is shorter',
        ({ config }) => ({ [`blobs/${config.digest}`]: sent(config.bytes.subarray(0, -1)) }),
      ],
    ];
    for (const [what, lie] of draw.some(lies)) {
      const image = drawnImage();
      const outer = nested(image, 1);
      const fine = await pulled(outer);
      expect(succeeded(fine.ended, 'before it lies'), 'before it lies').toEqual(resultOf(image, outer.outer));
      const pull = await pulled({ ...outer, answers: { ...outer.answers, ...lie(image, outer) } });
      expectRefused(pull.ended, 'protocol', what);
      expectNothing(pull, image.manifest);
    }
  });

  test('task 5: a pull by digest gets that manifest, whatever the registry says of it', async () => {
    const image = drawnImage();
    const { digest } = image.manifest;
    const said_ = { 'docker-content-digest': anyDigest() };
    const pull = await pulled({
      reference: digest,
      answers: { ...image.answers, [`manifests/${digest}`]: tagged(image.manifest, said_) },
    });
    expect(succeeded(pull.ended, 'The pull')).toEqual(resultOf(image));
    const other = drawnImage();
    const lie = await pulled({
      reference: digest,
      answers: { ...other.answers, [`manifests/${digest}`]: tagged(other.manifest) },
    });
    expectRefused(lie.ended, 'protocol', 'another manifest under the digest');
    expect(documents(lie), 'documents that were stored').toEqual([]);
    // What is not a digest promises nothing.
    const loose = offered({}, { 'docker-content-digest': draw.word() });
    expect(said((await pulled(loose)).ended)).toEqual(resultOf(loose.image));
    const { image: silent, reference, answers } = offered();
    const headers = { 'content-type': silent.manifest.mediaType };
    const quiet = await pulled({
      reference,
      answers: { ...answers, [`manifests/${reference}`]: sent(silent.manifest.bytes, headers) },
    });
    expect(succeeded(quiet.ended, 'without the header'), 'without the header').toEqual(resultOf(silent));
  });

  test('task 5: a document of more than 4 MiB is neither asked for nor read', async () => {
    const { image, reference, answers } = offered();
    const endless = {
      headers: { 'content-type': `${OCI}.manifest.v1+json` },
      chunks: [Buffer.alloc(64 * 1024, ' ')],
      tail: 'forever' as const,
    };
    const pull = await pulled({ reference, answers: { ...answers, [`manifests/${reference}`]: endless } });
    expectRefused(pull.ended, 'protocol', 'a manifest without an end');
    expect(pull.asked[0]!.read, 'chunks of 64 KiB that were read').toBeLessThanOrEqual(66);
    const size = 4 * 1024 * 1024 + draw.int(1, 99);
    const large = offered({ manifest: (fields) => ({ ...fields, config: { ...(fields.config as object), size } }) });
    const refused = await pulled(large);
    expectRefused(refused.ended, 'protocol', `a configuration of ${size} bytes`);
    expect(paths(refused), 'what was asked for').toEqual([`manifests/${large.reference}`]);
    expect(said((await pulled({ reference, answers })).ended)).toEqual(resultOf(image));
    // Exactly 4 MiB are not more. The blanks at the end are added where the registry is played.
    const most = 4 * 1024 * 1024;
    const filled = (document: ReturnType<typeof part>) => ({
      ...bare(document),
      digest: digestOf(Buffer.concat([document.bytes, Buffer.alloc(most - document.size, ' ')])),
      size: most,
    });
    const full = ({ bytes, mediaType }: ReturnType<typeof part>) => ({
      ...sent(bytes, { 'content-type': mediaType, 'content-length': String(most) }),
      blanks: most - bytes.length,
    });
    const config = filled(image.config);
    const outline = part(image.manifest.mediaType, { ...JSON.parse(image.manifest.bytes.toString()), config });
    const manifest = filled(outline);
    const exact = await pulled({
      reference,
      answers: {
        ...answers,
        [`manifests/${reference}`]: full(outline),
        [`blobs/${config.digest}`]: full(image.config),
      },
    });
    expect(succeeded(exact.ended, 'A pull of documents of exactly 4 MiB'), 'documents of exactly 4 MiB').toEqual({
      named: manifest,
      manifest,
      config: config.digest,
      layers: wantedOf(image),
    });
  });

  test('task 5: a document that is not what it says is refused', async () => {
    const { image, reference, answers } = offered();
    const { manifest } = image;
    const text = (content: string, type: string) => sent(Buffer.from(content), { 'content-type': type });
    const lies: [string, string, driver.Answer][] = [
      ['a page of HTML', 'protocol', text('<!doctype html><title>Login</title>', 'text/html; charset=utf-8')],
      ['text that is not JSON', 'protocol', text(draw.word(), manifest.mediaType)],
      [
        'a manifest of schema 1',
        'unsupported',
        text(
          JSON.stringify({ schemaVersion: 1, name: draw.word() }),
          'application/vnd.docker.distribution.manifest.v1+prettyjws',
        ),
      ],
      ['an index that is sent as a manifest', 'protocol', text(drawnIndex([]).bytes.toString(), manifest.mediaType)],
      [
        'a document of another type',
        'unsupported',
        text(JSON.stringify({ schemaVersion: 2, mediaType: `application/vnd.${draw.word()}` }), 'application/json'),
      ],
    ];
    for (const [what, kind, lie] of draw.some(lies)) {
      const pull = await pulled({ reference, answers: { ...answers, [`manifests/${reference}`]: lie } });
      expectRefused(pull.ended, kind, what);
      expect(pull.asked, `requests after ${what}`).toHaveLength(1);
    }
    // A registry that calls everything JSON is right as well.
    const plain = await pulled({
      reference,
      answers: { ...answers, [`manifests/${reference}`]: tagged(manifest, { 'content-type': 'application/json' }) },
    });
    expect(succeeded(plain.ended, 'sent as application/json'), 'sent as application/json').toEqual(resultOf(image));
  });

  test('task 5: an image that this engine cannot run is refused before its layers come', async () => {
    const cases: [string, string, ImageOptions][] = [
      [
        'an artifact',
        'unsupported',
        {
          manifest: (fields) => ({
            ...fields,
            config: { ...(fields.config as object), mediaType: `application/vnd.${draw.word()}` },
          }),
        },
      ],
      [
        'a foreign layer',
        'unsupported',
        {
          manifest: (fields) => ({
            ...fields,
            layers: [
              fields.layers[0],
              { ...fields.layers[1], mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip' },
            ],
          }),
        },
      ],
      ['an image for another system', 'unsupported', { config: (fields) => ({ ...fields, os: 'windows' }) }],
      [
        'fewer diff_ids than layers',
        'protocol',
        { config: (fields) => ({ ...fields, rootfs: { type: 'layers', diff_ids: [anyDigest()] } }) },
      ],
      ['a configuration that is a list', 'protocol', { config: () => [] }],
    ];
    for (const [what, kind, options] of draw.some(cases)) {
      const { image, reference, answers } = offered(options);
      const pull = await pulled({ reference, answers });
      expectRefused(pull.ended, kind, what);
      expect(
        pull.log.filter((line) => line.startsWith('begin')),
        `layers of ${what}`,
      ).toEqual([]);
      expectNothing(pull, image.manifest);
    }
    const { image, reference, answers } = offered({ architecture: 's390x' });
    expect(
      said((await pulled({ reference, answers })).ended),
      'of another architecture that was not asked for',
    ).toEqual(resultOf(image));
    const asked = await pulled({ reference, answers, platform: { ...platform, isAsked: true } as typeof platform });
    expectRefused(asked.ended, 'not-found', 'an image for another architecture than the one that was asked for');
  });

  test('task 5: a document that is stored is not fetched again', async () => {
    const image = drawnImage();
    const { outer, reference, answers } = nested(image, 1);
    const stored = { [image.manifest.digest]: image.manifest.bytes, [image.config.digest]: image.config.bytes };
    const pull = await pulled({ answers, reference, stored });
    expect(succeeded(pull.ended, 'The pull')).toEqual(resultOf(image, outer));
    expect(paths(pull).toSorted(), 'what was asked for').toEqual(
      [`manifests/${reference}`, ...image.layers.map(({ digest }) => `blobs/${digest}`)].toSorted(),
    );
    const [present] = image.layers;
    const again = await pulled({ answers, reference, stored: { ...stored, [present!.digest]: present!.bytes } });
    expect(succeeded(again.ended, 'The pull')).toEqual(resultOf(image, outer));
    expect(paths(again), 'what was asked for').not.toContain(`blobs/${present!.digest}`);
    expect(again.events, 'events').toContainEqual({ type: 'done', digest: present!.digest, how: 'present' });
    // Not in its right size: the descriptor is another one's.
    const wrong = await pulled({
      answers,
      reference,
      stored: { [image.config.digest]: image.config.bytes.subarray(0, 5) },
    });
    expect(succeeded(wrong.ended, 'The pull')).toEqual(resultOf(image, outer));
    expect(paths(wrong), 'what was asked for').toContain(`blobs/${image.config.digest}`);
  });

  test('task 5: `concurrency` layers are fetched at the same time, lowest first', async () => {
    for (const concurrency of draw.some([1, 2, 3, 4])) {
      const { image, reference, answers } = offered({ layers: draw.int(5, 7) });
      const pull = await pulled({ answers, reference, concurrency, holdsFirst: concurrency > 1 });
      expect(succeeded(pull.ended, 'The pull')).toEqual(resultOf(image));
      expect(pull.together, `layers at the same time, of at most ${concurrency}`).toBe(concurrency);
      if (concurrency > 1 && !pull.isRefilled)
        throw new Error(
          `Of at most ${concurrency} layers at the same time, number ${concurrency + 1} should begin as soon as one of them has ended\nis not begun while the first one is on its way`,
        );
      const begun = pull.log.filter((line) => line.startsWith('begin'));
      expect(begun, 'the order in which layers begin').toEqual(image.layers.map(({ digest }) => `begin ${digest}`));
    }
  });

  test('task 5: a layer that an image has twice is fetched once', async () => {
    const image = drawnImage({ layers: 4 });
    const [first, second, third, fourth] = image.layers;
    // The same bytes, said to unpack to something else.
    const twin = { ...first!, diffId: anyDigest() };
    const layers = [first!, second!, first!, third!, twin, second!, fourth!, twin];
    const fields = {
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    };
    const config = part(`${OCI}.config.v1+json`, fields);
    const manifest = part(`${OCI}.manifest.v1+json`, {
      schemaVersion: 2,
      config: bare(config),
      layers: layers.map((layer) => ({ ...bare(layer), mediaType: `${OCI}.layer.v1.tar` })),
    });
    const reference = draw.word();
    const answers = {
      ...image.answers,
      [`blobs/${config.digest}`]: sent(config.bytes),
      [`manifests/${reference}`]: tagged(manifest),
    };
    const pull = await pulled({ answers, reference });
    const { layers: told } = succeeded(pull.ended, 'The pull') as Pick<Image, 'layers'>;
    const pair = ({ digest, diffId }: { digest: string; diffId: string }) => `${digest} ${diffId}`;
    expect(told?.map(pair), 'digest and diffID of the layers of the result').toEqual(layers.map(pair));
    expect(
      pull.log.filter((line) => line.startsWith('begin')),
      'layers that were begun',
    ).toEqual([first!, second!, third!, twin, fourth!].map(({ digest }) => `begin ${digest}`));
    expect(pull.log.at(-2)).toBe(`document ${manifest.digest}`);
  });

  test('task 5: the first failure ends all, and the manifest is not stored', async () => {
    const concurrency = draw.int(2, 3);
    const { image, reference, answers } = offered({ layers: 6 });
    const failing = draw.pick(image.layers.slice(0, concurrency)).digest;
    const pull = await pulled({ answers, reference, concurrency, failing });
    expect(said(pull.ended)).toBe('(threw RegistryError protocol: This layer is not what it should be.)');
    const begun = image.layers.slice(0, concurrency).map(({ digest }) => `begin ${digest}`);
    expect(
      pull.log.filter((line) => line.startsWith('begin')),
      'layers that were begun',
    ).toEqual(begun);
    expect(
      pull.log.filter((line) => line.startsWith('kept')),
      'layers whose signal was not aborted',
    ).toEqual([]);
    expect(
      pull.log.filter((line) => line.startsWith('failed')),
      'layers that were ended',
    ).toHaveLength(concurrency);
    expect(pull.log.at(-1), 'the last that happened').toBe('over');
    expectNothing(pull, image.manifest);
    expect(said((await pulled({ answers, reference, concurrency })).ended), 'the same without a failure').toEqual(
      resultOf(image),
    );
  });

  test('task 5: a cancelled pull ends with its reason', async () => {
    const { image, reference, answers } = offered({ layers: 5 });
    const cancel = draw.word();
    const pull = await pulled({ answers, reference, cancel });
    expect(said(pull.ended)).toBe(`(threw Error: ${cancel})`);
    expectNothing(pull, image.manifest);
    expect(pull.log.filter((line) => line.startsWith('begin')).length, 'layers that were begun').toBeLessThanOrEqual(3);
    expect(said((await pulled({ answers, reference })).ended), 'the same when it is not cancelled').toEqual(
      resultOf(image),
    );
  });

  test('task 5: with your own parts an image comes through a registry that breaks and lies', async () => {
    const image = drawnImage({ layers: 4 });
    const [first, second, third] = image.layers;
    const higher = drawnImage({ architecture: 'arm' });
    const index = drawnIndex([
      { ...bare(higher.manifest), platform: { os: 'linux', architecture: 'arm', variant: 'v8' } },
      { ...bare(image.manifest), platform: { os: 'linux', architecture: 'arm', variant: 'v6' } },
    ]);
    const reference = draw.word();
    const answers = { ...image.answers, [`manifests/${reference}`]: tagged(index) };
    const asked = { reference, platform: { os: 'linux', architecture: 'arm', variant: 'v7' }, isWhole: true };
    // A registry in the script says the same to every request: it breaks off, and begins anew from the beginning.
    const cut = { ...sent(first!.bytes.subarray(0, -3)), headers: {} };
    const pull = await pulled({ ...asked, answers: { ...answers, [`blobs/${first!.digest}`]: cut } });
    expectFailed(pull.ended, 'A pull with a layer that never comes whole');
    expect(
      pull.asked.filter(({ path }) => path === `blobs/${first!.digest}`).length,
      'requests for a layer that never comes whole',
    ).toBe(5);
    const lie = await pulled({
      ...asked,
      answers: { ...answers, [`blobs/${second!.digest}`]: sent(Buffer.alloc(second!.size)) },
    });
    expectRefused(lie.ended, 'protocol', 'a layer with other bytes');
    expectNothing(lie, image.manifest);
    const long = await pulled({
      ...asked,
      answers: { ...answers, [`blobs/${third!.digest}`]: { chunks: [third!.bytes], tail: 'forever' } },
    });
    expectRefused(long.ended, 'protocol', 'a layer without an end');
    const fine = await pulled({ ...asked, answers });
    expect(succeeded(fine.ended, 'The pull')).toEqual(resultOf(image, index));
  });
});
