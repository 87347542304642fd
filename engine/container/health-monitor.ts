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
    if (!again || container.record.health === undefined) container.record.health = beginning(container.record.health);
    stops.set(container.id, watch(engine, container, check));
  };
  const hear = ({ Type, Action, Actor: { ID: id } }: EngineEvent) => {
    const container = Type === 'container' ? engine.containers.get(id) : undefined;
    if (container === undefined) return;
    if (Action === 'start') begin(container, false);
    else if (Action === 'unpause') begin(container, true);
    else if (Action === 'die' || Action === 'pause') {
      if (stops.has(id)) change(engine, container, { ...container.record.health!, Status: 'unhealthy' });
      stop(id);
    }
  };
  const deafen = engine.events.attend(hear);
  for (const container of engine.containers.all()) if (container.running && !container.paused) begin(container, true);
  return () => {
    deafen();
    for (const id of [...stops.keys()]) stop(id);
  };
}

/** @returns the way to stop; a probe that is under way then counts no more */
function watch(engine: Engine, container: Container, check: HealthCheck): () => void {
  const { record } = container;
  const sinceStart = () => Date.now() - Date.parse(record.startedAt);
  let over = false;
  let timer: NodeJS.Timeout | undefined;
  const wait = (left: number) => {
    const now = Math.min(left, LONGEST);
    timer = setTimeout(() => (left > now ? wait(left - now) : void look()), now);
  };
  const look = async () => {
    const begun = sinceStart();
    const result = await probe(engine, container, check);
    if (over) return;
    change(engine, container, afterProbe(record.health!, result, check, begun));
    wait(untilNextProbe(record.health!, check, sinceStart()));
  };
  wait(untilNextProbe(record.health!, check, sinceStart()));
  return () => {
    over = true;
    clearTimeout(timer);
  };
}

function change(engine: Engine, container: Container, after: HealthState): void {
  const { record } = container;
  const news = record.health?.Status !== after.Status;
  record.health = after;
  if (!news) return;
  emitContainerEvent(engine, container, `health_status: ${after.Status}`);
  container.save().catch((error: Error) => engine.warn(`${record.name}: ${error.message}`));
}
