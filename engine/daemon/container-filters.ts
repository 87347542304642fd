import type { Container } from '../container/container.ts';
import type { Engine } from '../container/engine.ts';
import { ApiError } from './api-error.ts';
import { timeOf } from './image-filters.ts';
import { hasLabel } from './labels.ts';
import { namePatterns, refuseMany } from './name-pattern.ts';

export const CONTAINER_FILTERS = [
  'ancestor',
  'before',
  'exited',
  'health',
  'id',
  'label',
  'name',
  'network',
  'since',
  'status',
  'volume',
] as const;

const STATUSES = ['created', 'restarting', 'running', 'removing', 'paused', 'exited', 'dead'];

const HEALTHS = ['starting', 'healthy', 'unhealthy', 'none'];

export interface Selection {
  /** Also those that do not run. */
  all: boolean;
  /** The most recent so many. */
  limit?: number | undefined;
  filters: Map<string, string[]>;
}

/** The containers that a list asks for, newest first. @throws ApiError 400 for a filter value that means nothing */
export async function selectContainers(engine: Engine, { all, limit, filters }: Selection): Promise<Container[]> {
  const everything = all || filters.has('status') || filters.has('exited');
  const tests = await Promise.all([...filters].map(([name, values]) => newTest(engine, name, values)));
  const chosen = engine.containers
    .all()
    .filter(
      (container) =>
        (everything || container.running || container.restarting) && tests.every((test) => test(container)),
    )
    .sort((a, b) => (a.record.created < b.record.created ? 1 : -1));
  return limit === undefined ? chosen : chosen.slice(0, limit);
}

type Test = (container: Container) => boolean;

async function newTest(engine: Engine, name: string, values: string[]): Promise<Test> {
  switch (name) {
    case 'id':
    case 'name': {
      const fits = namePatterns(name, values);
      // With and without the slash that Docker writes in front of a name.
      if (name === 'name') return ({ record }) => fits(record.name) || fits(`/${record.name}`);
      return ({ id }) => fits(id);
    }
    case 'status': {
      const wrong = values.find((value) => !STATUSES.includes(value));
      if (wrong !== undefined) throw new ApiError(400, `invalid filter 'status=${wrong.slice(0, 60)}'`);
      return ({ record }) => values.includes(record.status);
    }
    case 'exited': {
      const wrong = values.find((value) => !/^\d{1,3}$/.test(value));
      if (wrong !== undefined) throw new ApiError(400, `invalid filter 'exited=${wrong.slice(0, 60)}'`);
      return ({ record }) => record.status === 'exited' && values.includes(String(record.exitCode));
    }
    case 'health': {
      const wrong = values.find((value) => !HEALTHS.includes(value));
      if (wrong !== undefined) throw new ApiError(400, `invalid filter 'health=${wrong.slice(0, 60)}'`);
      return ({ record }) => values.includes(record.health?.Status ?? 'none');
    }
    case 'label':
      // Of labels all have to fit, unlike the values of other filters.
      return ({ record }) => values.every((value) => hasLabel(record.config.Labels, value));
    case 'label!':
      return ({ record }) => !values.some((value) => hasLabel(record.config.Labels, value));
    case 'until': {
      const until = timeOf(values);
      return ({ record }) => Date.parse(record.created) <= until;
    }
    case 'network':
      return ({ record: { hostConfig, endpoints } }) =>
        values.some(
          (value) =>
            value === hostConfig.NetworkMode ||
            endpoints.some(({ name, network }) => value === name || network.startsWith(value || name)),
        );
    case 'volume':
      return ({ record }) =>
        record.mounts.some(({ name: volume, source, destination }) =>
          [volume || source, destination].some((text) => values.includes(text)),
        );
    case 'before':
    case 'since': {
      const { created } = engine.containers.find(values[0] ?? '').record;
      return ({ record }) => (name === 'before' ? record.created < created : record.created > created);
    }
    case 'ancestor': {
      refuseMany(name, values);
      const found = await Promise.all(values.map((value) => engine.images.find(value).catch(() => null)));
      return ({ record }) => found.some((image) => image?.id === record.image.id);
    }
    default:
      throw new ApiError(400, `invalid filter '${name.slice(0, 60)}'`);
  }
}
