/** Every field of a create request is done or refused by name: one that is taken and ignored is the worst fault there is. */

import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type * as z from 'zod';
import { ContainerConfig, HostConfig } from '../container/config.ts';
import { EndpointSettings } from '../container/networks/endpoint.ts';
import { refuseUnsupported } from '../container/unsupported.ts';

interface Schema {
  type?: string;
  enum?: unknown[];
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  items?: Schema;
  allOf?: Schema[];
  $ref?: string;
}

const { definitions } = parse(
  fs.readFileSync(path.join(import.meta.dirname, 'testdata/docker-api-v1.50.yaml'), 'utf8'),
) as { definitions: Record<string, Schema> };

const follow = (schema: Schema): Schema =>
  schema.$ref === undefined ? schema : follow(definitions[schema.$ref.split('/').at(-1)!]!);

function propertiesOf(schema: Schema): Record<string, Schema> {
  const { properties, allOf } = follow(schema);
  return Object.assign({}, properties, ...(allOf ?? []).map(propertiesOf));
}

/** A value that means something: not the zero value of its type. */
function sample(schema: Schema): unknown {
  const { type, enum: values, items, additionalProperties, ...rest } = follow(schema);
  if (values !== undefined) return values.find((value) => value !== '' && value !== null);
  if (type === 'array') return [sample(items ?? { type: 'string' })];
  if (type === 'string') return 'something';
  if (type === 'boolean') return true;
  if (type === 'integer' || type === 'number') return 7;
  if (typeof additionalProperties === 'object') return { something: sample(additionalProperties) };
  const properties = Object.entries(propertiesOf(rest));
  return properties.length === 0
    ? { something: {} }
    : Object.fromEntries(properties.map(([name, each]) => [name, sample(each)]));
}

/** Fields that have no effect on Linux, or none on a container, in Docker as well; each with the reason. */
const WITHOUT_EFFECT: Record<string, string> = {
  'ContainerConfig.ArgsEscaped': 'Windows only',
  'ContainerConfig.OnBuild': 'of an image: a container runs no triggers',
  'ContainerConfig.Shell': 'of an image: it is for the instructions of a build',
  'HostConfig.ContainerIDFile': 'written by the client',
  'HostConfig.RestartPolicy': 'refused by the name of the policy, see below',
  'HostConfig.Isolation': 'refused but for "default", see below',
};

const isRefused = (body: object): boolean => {
  try {
    refuseUnsupported(body as Record<string, unknown>);
    return false;
  } catch (error) {
    expect((error as Error).message).toMatch(/^This engine does not have /);
    return true;
  }
};

const known = (schema: z.ZodType): string[] => Object.keys((schema as z.ZodObject).shape);

describe.each([
  ['ContainerConfig', ContainerConfig, (field: string, value: unknown) => ({ [field]: value })],
  ['HostConfig', HostConfig, (field: string, value: unknown) => ({ HostConfig: { [field]: value } })],
] as const)('%s', (definition, schema, bodyOf) => {
  const fields = Object.entries(propertiesOf(definitions[definition]!));
  test.each(fields.filter(([field]) => WITHOUT_EFFECT[`${definition}.${field}`] === undefined))(
    '%s is done, or refused by name',
    (field, each) => {
      expect(known(schema).includes(field) || isRefused(bodyOf(field, sample(each)))).toBe(true);
    },
  );
});

test.each(Object.entries(propertiesOf(definitions.EndpointSettings!)))(
  'EndpointSettings.%s is read, unless it is an answer’s',
  (field, each) => {
    const answers = ['NetworkID', 'EndpointID', 'Gateway', 'IPAddress', 'IPPrefixLen', 'IPv6Gateway', 'DNSNames'];
    if (answers.includes(field) || field.startsWith('GlobalIPv6')) return;
    expect(EndpointSettings.parse({ [field]: sample(each) })).toMatchObject({ [field]: sample(each) });
  },
);

describe('a mount', () => {
  const { BindOptions, VolumeOptions, TmpfsOptions, ImageOptions } = propertiesOf(definitions.Mount!);
  const done = ['Propagation', 'NonRecursive', 'CreateMountpoint', 'NoCopy', 'SizeBytes', 'Mode'];
  /** Refused when the container is made, with the mount's own words. */
  const later = ['VolumeOptions.Subpath'];
  const all = Object.entries({ BindOptions, VolumeOptions, TmpfsOptions, ImageOptions }).flatMap(([options, each]) =>
    Object.entries(propertiesOf(each!)).map(([field, schema]) => [options, field, schema] as const),
  );

  test.each(all)('with %s.%s has it done, or is refused by name', (options, field, schema) => {
    if (done.includes(field) || later.includes(`${options}.${field}`)) return;
    expect(isRefused({ HostConfig: { Mounts: [{ [options]: { [field]: sample(schema) } }] } })).toBe(true);
  });
});

test('values that ask for what there is anyway are taken', () => {
  for (const HostConfig of [
    { RestartPolicy: { Name: 'no' } },
    { Isolation: 'default' },
    { Runtime: 'skiff' },
    { Links: [] },
  ])
    expect(isRefused({ HostConfig })).toBe(false);
  expect(isRefused({ HostConfig: { Isolation: 'hyperv' } })).toBe(true);
});
