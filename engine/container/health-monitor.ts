/** Probes the containers that have a health check, from each start to the end, and not while they stand still. */

import type { Container } from './container.ts';
import { type Engine, emitContainerEvent } from './engine.ts';
import type { EngineEvent } from './events.ts';
import { afterProbe, beginning, type HealthCheck, type HealthState, healthCheckOf, untilNextProbe } from './health.ts';
import { probe } from './probe.ts';

/** Longer waits are several: a timer of Node holds 31 bits of milliseconds. */
const LONGEST = 2 ** 31 - 1;

/** Follow what happens to the containers of an engine. @returns the way to stop */
export function monitorHealth(engine: Engine): () => void {
  const stops = new Map<string, () => void>();
  const stop = (id: string) => {
    stops.get(id)?.();
    stops.delete(id);
  };
  const begin = (container: Container, again: boolean) => {
    const check = healthCheckOf(container.record.config);
    if (check === null) return;
    stop(container.id);
    if (!again || container.record.health === undefined) {
      container.record.health = beginning(container.record.health);
      keep(engine, container);
    }
    stops.set(container.id, watch(engine, container, check));
  };
  const hear = ({ Type, Action, Actor: { ID: id } }: EngineEvent) => {
    const container = Type === 'container' ? engine.containers.get(id) : undefined;
    if (container === undefined) return;
    if (Action === 'start') begin(container, false);
    else if (Action === 'unpause') begin(container, true);
    else if (Action === 'die' || Action === 'pause') {
      stop(id);
      unwatched(engine, container);
    }
  };
  const deafen = engine.events.attend(hear);
  for (const container of engine.containers.all())
    if (container.running && !container.paused) begin(container, true);
    else unwatched(engine, container);
  return () => {
    deafen();
    for (const id of [...stops.keys()]) stop(id);
  };
}

/** @returns the way to stop; a probe that is under way then is ended, and counts no more */
function watch(engine: Engine, container: Container, check: HealthCheck): () => void {
  const { record } = container;
  const sinceStart = () => Date.now() - Date.parse(record.startedAt);
  const over = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const wait = (left: number) => {
    const now = Math.min(left, LONGEST);
    timer = setTimeout(() => (left > now ? wait(left - now) : void look()), now);
  };
  const look = async () => {
    const begun = sinceStart();
    const result = await probe(engine, container, check, over.signal);
    if (over.signal.aborted) return;
    change(engine, container, afterProbe(record.health!, result, check, begun));
    wait(untilNextProbe(record.health!, check, sinceStart()));
  };
  wait(untilNextProbe(record.health!, check, sinceStart()));
  return () => {
    over.abort();
    clearTimeout(timer);
  };
}

function change(engine: Engine, container: Container, after: HealthState): void {
  const { record } = container;
  const news = record.health?.Status !== after.Status;
  record.health = after;
  if (!news) return;
  emitContainerEvent(engine, container, `health_status: ${after.Status}`);
  keep(engine, container);
}

/** One that nobody looks at is unhealthy, as Docker has it. That is a state and no news. */
function unwatched(engine: Engine, container: Container): void {
  const { record } = container;
  if (record.health === undefined || record.health.Status === 'unhealthy') return;
  record.health = { ...record.health, Status: 'unhealthy' };
  keep(engine, container);
}

function keep(engine: Engine, container: Container): void {
  container.save().catch((error: Error) => engine.warn(`${container.record.name}: ${error.message}`));
}
