/** The Docker Engine API's own description, to hold responses against. */

import fs from 'node:fs';
import path from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import { parse } from 'yaml';

interface Operation {
  parameters?: { name: string; in: string }[];
  responses: Record<string, { schema?: object }>;
}

interface ApiDocument {
  paths: Record<string, Record<string, Operation>>;
  definitions: Record<string, object>;
}

const document = parse(
  fs.readFileSync(path.join(import.meta.dirname, '../testdata/docker-api-v1.50.yaml'), 'utf8'),
) as ApiDocument;
const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
ajv.addSchema({ $id: 'api', definitions: toJsonSchema(document.definitions) });
const compiled = new Map<string, ValidateFunction | null>();

/** The names of an operation's parameters in the query. */
export function parametersOf(method: string, route: string): string[] {
  const { parameters = [] } = document.paths[route]![method.toLowerCase()]!;
  return parameters.filter((each) => each.in === 'query').map(({ name }) => name);
}

/**
 * What is wrong with a response; empty if nothing is. A status or a path that the description does not have is wrong too.
 * @param route as in the description, e.g. `/containers/{id}/json`
 */
export function departures(method: string, route: string, status: number, body: unknown): string[] {
  const operation = document.paths[route]?.[method.toLowerCase()];
  if (!operation) return [`there is no ${method} ${route}`];
  const response = operation.responses[String(status)];
  if (!response) return [`${method} ${route} has no answer ${status}`];
  const key = `${method} ${route} ${status}`;
  if (!compiled.has(key)) {
    const schema = response.schema ? (toJsonSchema(response.schema) as object) : null;
    compiled.set(key, schema && ajv.compile(schema));
  }
  const validate = compiled.get(key);
  if (!validate || validate(body)) return [];
  return (validate.errors ?? [])
    .filter((error) => !isDockersOwn(key, error.instancePath))
    .map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`);
}

/** What is wrong with a document by the name of its definition, e.g. `EventMessage`. */
export function definitionDepartures(name: string, document: unknown): string[] {
  const validate = ajv.compile({ $ref: `api#/definitions/${name}` });
  return validate(document)
    ? []
    : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

/** Where Docker's daemon itself departs from the description, and clients count on it: null until there is an exit code. */
function isDockersOwn(key: string, instancePath: string): boolean {
  return key === 'GET /exec/{id}/json 200' && instancePath === '/ExitCode';
}

/** The routes of the description that a path is of: its parts between braces stand for anything. */
export function routeOf(method: string, url: string): string {
  const asked = url.replace(/\?.*$/, '').replace(/^\/v\d+\.\d+/, '');
  const fits = Object.keys(document.paths).filter(
    (route) =>
      document.paths[route]?.[method.toLowerCase()] &&
      new RegExp(`^${route.replace(/\{[^}]+\}/g, /^\/(?:images|distribution)/.test(route) ? '.+' : '[^/]+')}$`).test(
        asked,
      ),
  );
  // `/containers/json` is not an `{id}`.
  return fits.find((route) => !route.includes('{')) ?? fits.sort((a, b) => b.length - a.length)[0] ?? asked;
}

/** OpenAPI 2.0 is JSON Schema but for `x-nullable` and for where the definitions are. */
function toJsonSchema(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(toJsonSchema);
  if (typeof node !== 'object' || node === null) return node;
  const source = node as Record<string, unknown>;
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(source)) {
    if (key === 'example' || key === 'examples' || key === 'description' || key === 'default') continue;
    if (key === 'properties' || key === 'definitions') {
      result[key] = Object.fromEntries(
        Object.entries(value as Record<string, unknown>).map(([name, each]) => [name, toJsonSchema(each)]),
      );
    } else {
      result[key] = key === '$ref' && typeof value === 'string' ? value.replace('#/', 'api#/') : toJsonSchema(value);
    }
  }
  return source['x-nullable'] === true ? { anyOf: [{ type: 'null' }, result] } : result;
}
