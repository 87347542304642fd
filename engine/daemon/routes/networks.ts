/** Networks, as far as there are any: `host` and `none`. */

import type { Engine } from '../../container/engine.ts';
import { ApiError } from '../api-error.ts';
import type { Call } from '../call.ts';
import { flagOf } from '../image-filters.ts';
import { namePatterns } from '../name-pattern.ts';
import { networkId, networkView, type PredefinedNetwork, predefinedNetworks } from '../views/network.ts';

const FILTERS = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'];

/** `GET /networks` */
export function listNetworks(call: Call): void {
  const { engine, query } = call;
  const views = predefinedNetworks.map((name) => networkView(engine, name));
  const tests = [...query.filters(FILTERS)].map(([filter, values]) => testOf(filter, values));
  call.send(
    200,
    views.filter((view) => tests.every((test) => test(view))),
  );
}

type View = ReturnType<typeof networkView>;

/** Predefined networks are never dangling, have no label and are of the type `builtin`. */
function testOf(filter: string, values: string[]): (view: View) => boolean {
  switch (filter) {
    case 'dangling': {
      const wanted = flagOf(filter, values);
      return () => !wanted;
    }
    case 'driver':
      return ({ Driver }) => values.includes(Driver);
    case 'scope':
      return ({ Scope }) => values.includes(Scope);
    case 'type':
      return () => values.includes('builtin');
    case 'label':
      return () => values.length === 0;
    case 'id':
      return ({ Id }) => values.some((value) => Id.startsWith(value));
    default: {
      const fits = namePatterns(filter, values);
      return ({ Name }) => fits(Name);
    }
  }
}

/** `GET /networks/{id}` */
export function inspectNetwork(call: Call): void {
  call.send(200, networkView(call.engine, findNetwork(call), { inspect: true }));
}

/** `DELETE /networks/{id}` */
export function removeNetwork(call: Call): void {
  throw new ApiError(403, `${findNetwork(call)} is a pre-defined network and cannot be removed`);
}

/** `POST /networks/prune`: predefined networks stay. */
export function pruneNetworks(call: Call): void {
  call.query.filters(['label', 'label!', 'until']);
  call.send(200, { NetworksDeleted: [] });
}

/** `POST /networks/{id}/connect` and `/disconnect` */
export function changeMembers(call: Call): void {
  const name = findNetwork(call);
  throw new ApiError(403, `container cannot be connected to or disconnected from the predefined network ${name}`);
}

/** `GET /plugins` */
export function listPlugins(call: Call): void {
  call.send(200, []);
}

/** `GET /plugins/{name}/json` */
export function inspectPlugin(call: Call): void {
  const name = call.parameter('*').replace(/\/json$/, '');
  throw new ApiError(404, `plugin "${name.slice(0, 200)}" not found`);
}

/** By name, id, or the beginning of an id. @throws ApiError 404 */
function findNetwork(call: Call): PredefinedNetwork {
  const asked = call.parameter('id');
  const found = predefinedNetworks.find((name) => name === asked) ?? byId(call.engine, asked);
  if (found === undefined) throw new ApiError(404, `network ${asked.slice(0, 200)} not found`);
  return found;
}

function byId(engine: Engine, asked: string): PredefinedNetwork | undefined {
  return asked === '' ? undefined : predefinedNetworks.find((name) => networkId(engine, name).startsWith(asked));
}
