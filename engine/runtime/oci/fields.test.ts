/**
 * Each field that the specification has is either done or refused by name. The schemas say which fields there are
 * (testdata of the specification itself); the shape that is parsed says which are done.
 */

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseProfile } from '../seccomp/profile.ts';
import { configFields, parseConfig } from './config-document.ts';
import { exampleConfig } from './example-config.ts';
import { refuseUnsupported, unsupported } from './unsupported.ts';

type Schema = Record<string, unknown>;

const schemas = resolve('engine/container/testdata/runtime-spec');
const files = new Map<string, Schema>();

function schemaFile(name: string): Schema {
  const known = files.get(name) ?? (JSON.parse(readFileSync(join(schemas, name), 'utf8')) as Schema);
  files.set(name, known);
  return known;
}

/** Follow `file#/a/b` from a schema in `file`. */
function follow(reference: string, file: string): { schema: Schema; file: string } {
  const [name, pointer = ''] = reference.split('#');
  const target = name || file;
  const steps = pointer.split('/').filter(Boolean);
  const schema = steps.reduce<unknown>((value, step) => (value as Schema)[step], schemaFile(target)) as Schema;
  return { schema, file: target };
}

interface Field {
  /** As the tables of unsupported.ts have it: `*` is each entry of a list or of a map. */
  path: string;
  /** A value that somebody has set. */
  example: unknown;
}

/** A value that a schema would take, other than what stands for nothing. */
function exampleOf(schema: Schema, file: string): unknown {
  if (typeof schema.$ref === 'string') {
    const next = follow(schema.$ref, file);
    return exampleOf(next.schema, next.file);
  }
  for (const kind of ['oneOf', 'anyOf', 'allOf'] as const)
    if (Array.isArray(schema[kind])) return exampleOf(schema[kind][0] as Schema, file);
  if (Array.isArray(schema.enum)) return schema.enum[0];
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (type === 'string') return 'x';
  if (type === 'integer' || type === 'number') return 1;
  if (type === 'boolean') return true;
  if (type === 'array') return [exampleOf((schema.items ?? {}) as Schema, file)];
  const properties = Object.entries((schema.properties ?? {}) as Record<string, Schema>);
  const patterns = Object.values((schema.patternProperties ?? {}) as Record<string, Schema>);
  if (typeof schema.additionalProperties === 'object') patterns.push(schema.additionalProperties as Schema);
  return Object.fromEntries([
    ...properties.map(([name, each]) => [name, exampleOf(each, file)]),
    ...patterns.map((each) => ['x', exampleOf(each, file)]),
  ]);
}

/** The fields below a schema that have no fields themselves; a refused one is not looked into. */
function fieldsOf(schema: Schema, file: string, path: string, stop: (path: string) => boolean): Field[] {
  if (path !== '' && stop(path)) return [{ path, example: exampleOf(schema, file) }];
  if (typeof schema.$ref === 'string') {
    const next = follow(schema.$ref, file);
    return fieldsOf(next.schema, next.file, path, stop);
  }
  const alternatives = [schema.oneOf, schema.anyOf, schema.allOf].filter(Array.isArray).flat() as Schema[];
  const properties = Object.entries((schema.properties ?? {}) as Record<string, Schema>);
  const below = [
    ...alternatives.flatMap((each) => fieldsOf(each, file, path, stop)),
    ...properties.flatMap(([name, each]) => fieldsOf(each, file, path === '' ? name : `${path}.${name}`, stop)),
    ...(schema.items ? fieldsOf(schema.items as Schema, file, `${path}.*`, stop) : []),
  ].filter((field) => field.path !== path && field.path !== `${path}.*`);
  const once = [...new Map(below.map((field) => [field.path, field])).values()];
  return once.length > 0 ? once : [{ path, example: exampleOf(schema, file) }];
}

const refused = new Map(Object.entries(unsupported));
const schema = schemaFile('config-schema.json');
const done = new Set(configFields());
const opaque = ['linux.seccomp'];
const fields = fieldsOf(schema, 'config-schema.json', '', (path) => refused.has(path) || opaque.includes(path));

/** The example config, with `value` at `path`. */
function withField(path: string, value: unknown): unknown {
  const config = structuredClone(exampleConfig) as unknown as Record<string, unknown>;
  const names = path.split('.');
  let at: Record<string, unknown> = config;
  for (const [index, name] of names.slice(0, -1).entries()) {
    const key = name === '*' ? '0' : name;
    at[key] ??= names[index + 1] === '*' ? [{}] : {};
    at = at[key] as Record<string, unknown>;
  }
  at[names.at(-1)!] = value;
  return config;
}

/** The same for a document that has one entry in each of its lists. */
function fieldsIn(document: unknown, path = ''): string[] {
  if (Array.isArray(document)) return fieldsIn(document[0], typeof document[0] === 'object' ? `${path}.*` : path);
  if (typeof document !== 'object' || document === null) return [path];
  return Object.entries(document).flatMap(([name, value]) => fieldsIn(value, path === '' ? name : `${path}.${name}`));
}

describe('the fields of a config.json', () => {
  test('are all there are in the schema', () => {
    expect(fields.length).toBeGreaterThan(100);
    for (const name of ['process.args', 'linux.resources.memory.limit', 'mounts.*.options', 'hooks.poststop.*.timeout'])
      expect(fields.map(({ path }) => path)).toContain(name);
  });

  test('are done or refused, and none is both', () => {
    const neither = fields.filter(({ path }) => !done.has(path) && !refused.has(path) && !opaque.includes(path));
    expect(neither.map(({ path }) => path)).toEqual([]);
    expect([...refused.keys()].filter((path) => done.has(path))).toEqual([]);
  });

  test('that are refused are fields of the specification', () => {
    // freebsd and the like are whole platforms; the others are what the walk has stopped at.
    const walked = new Set(fields.map(({ path }) => path));
    expect([...refused.keys()].filter((path) => !walked.has(path))).toEqual([]);
  });

  test.each([...refused.keys()])('%s is refused by its name', (path) => {
    const field = fields.find((each) => each.path === path)!;
    const name = path.replace('.*', '');
    expect(() => refuseUnsupported(withField(path, field.example))).toThrow(
      `config.json: ${name} is not supported by this runtime: `,
    );
  });

  test('nobody has set what Go writes for nothing, but for what means something', () => {
    const untouched: [string, unknown][] = [
      ['linux.resources.blockIO', { weight: 0 }],
      ['linux.resources.memory.disableOOMKiller', false],
      ['linux.resources.hugepageLimits', []],
      ['linux.resources.cpu.idle', 0],
      ['process.apparmorProfile', ''],
    ];
    for (const [path, value] of untouched) expect(() => refuseUnsupported(withField(path, value))).not.toThrow();
    expect(() => refuseUnsupported(withField('linux.intelRdt', {}))).toThrow('intelRdt');
  });

  test('of a system-call policy are done or refused by the compiler of filters', () => {
    const { schema: policy, file } = follow('config-linux.json#/linux/properties/seccomp', '');
    const names = fieldsOf(policy, file, '', () => false).map(({ path }) => path);
    const whole = {
      defaultAction: 'SCMP_ACT_ALLOW',
      defaultErrnoRet: 1,
      flags: ['SECCOMP_FILTER_FLAG_LOG'],
      architectures: ['SCMP_ARCH_X86_64'],
      syscalls: [
        {
          names: ['mkdir'],
          action: 'SCMP_ACT_ERRNO',
          errnoRet: 1,
          args: [{ index: 0, value: 1, valueTwo: 1, op: 'SCMP_CMP_EQ' }],
        },
      ],
    };
    const known = fieldsIn(whole);
    expect(fieldsIn(parseProfile(whole))).toEqual(expect.arrayContaining(known));
    const others = names.filter((name) => !known.includes(name));
    expect(others).toEqual(['listenerPath', 'listenerMetadata']);
    for (const name of others) expect(() => parseProfile({ ...whole, [name]: 'x' })).toThrow(name);
  });

  test('have the form that the specification gives them, or are named with what is wrong', () => {
    const bad: [path: string, value: unknown][] = [
      ['ociVersion', '2.0.0'],
      ['process.cwd', 'relative'],
      ['process.args', 'sh'],
      ['process.env', ['A', 1]],
      ['process.user.uid', 'root'],
      ['process.rlimits', [{ type: 'RLIMIT_NOFILE', soft: 2, hard: 1 }]],
      ['process.capabilities.bounding', ['chown']],
      ['process.oomScoreAdj', 2000],
      ['root.readonly', 'yes'],
      ['mounts', {}],
      ['hooks.prestart', [{ path: 'relative' }]],
      ['hooks.prestart', [{ path: '/x', timeout: 0 }]],
      ['annotations', { a: 1 }],
      ['linux.namespaces', [{ type: 'planet' }]],
      ['linux.uidMappings', [{ containerID: 0, hostID: -1, size: 1 }]],
      ['linux.devices', [{ type: 'x', path: '/dev/x' }]],
      ['linux.resources.memory.limit', 'much'],
      ['linux.resources.devices', [{ allow: 'yes' }]],
      ['linux.rootfsPropagation', 'odd'],
      ['linux.maskedPaths', ['proc']],
    ];
    for (const [path, value] of bad)
      expect(() => parseConfig(withField(path, value)), path).toThrow(`config.json cannot be used: ${path}`);
  });
});
