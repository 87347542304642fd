import type { EngineEvent } from '../../container/events.ts';
import type { Call } from '../call.ts';

const FILTERS = ['container', 'event', 'image', 'label', 'type', 'scope', 'daemon', 'network', 'volume'] as const;
/** Bytes that may wait for a client that does not read. */
const BACKLOG = 4 * 1024 * 1024;

/** `GET /events`: what happens, one JSON document a line. `until` may lie in the future. */
export function events(call: Call): void {
  const since = call.query.time('since');
  const until = call.query.time('until');
  const filters = call.query.filters(FILTERS);
  const response = call.stream('application/json');
  const stop = call.engine.events.listen(
    (event) => {
      if (until !== undefined && event.timeNano > until) return;
      if (!passes(event, filters)) return;
      response.write(`${format(event)}\n`);
      // Cut off rather than kept for ever: it can ask again with `since`.
      if (response.writableLength > BACKLOG) response.destroy();
    },
    since ?? (until !== undefined ? 0n : undefined),
  );
  call.signal.addEventListener('abort', stop);
  if (until !== undefined) endAt(call, until);
}

function endAt(call: Call, until: bigint): void {
  const left = Number(until / 1_000_000n) - Date.now();
  const timer = setTimeout(() => call.response.end(), Math.min(Math.max(left, 0), 2 ** 31 - 1));
  call.signal.addEventListener('abort', () => clearTimeout(timer));
}

function format({ timeNano, ...event }: EngineEvent): string {
  const { Type, Action, Actor, scope } = event;
  const document = {
    // Before API 1.22 events had these; clients still fall back to them.
    ...(Type === 'container' && { status: Action, id: Actor.ID, from: Actor.Attributes.image }),
    Type,
    Action,
    Actor,
    scope,
    time: Number(timeNano / 1_000_000_000n),
  };
  return `${JSON.stringify(document).slice(0, -1)},"timeNano":${timeNano}}`;
}

/** Values of one filter are alternatives; all filters have to fit. */
function passes({ Type, Action, Actor, scope }: EngineEvent, filters: Map<string, string[]>): boolean {
  return [...filters].every(([name, values]) =>
    values.some((value) => {
      switch (name) {
        case 'type':
          return value === Type;
        case 'event':
          // `exec_create: sh` is an exec_create.
          return value === Action || Action.startsWith(`${value}:`);
        case 'scope':
          return value === scope;
        case 'label': {
          const [key = '', ...rest] = value.split('=');
          return rest.length === 0 ? key in Actor.Attributes : Actor.Attributes[key] === rest.join('=');
        }
        case 'image':
          return value === Actor.Attributes.image || value === Actor.Attributes.image?.split(':')[0];
        default:
          return name === Type && (Actor.ID.startsWith(value) || Actor.Attributes.name === value);
      }
    }),
  );
}
