import * as z from 'zod';
import type { Engine } from '../container/engine.ts';
import { parseTimestamp } from '../container/time.ts';
import { globMatches } from '../image/glob.ts';
import type { ImageRecord } from '../image/images.ts';
import { ApiError } from './api-error.ts';
import { parseGoDuration } from './go-duration.ts';
import { hasLabel } from './labels.ts';
import { refuseMany } from './name-pattern.ts';

export const IMAGE_FILTERS = ['before', 'dangling', 'label', 'label!', 'reference', 'since', 'until'] as const;

export type ImageTest = (image: ImageRecord) => boolean;

/** The filters of `docker images` and `docker image prune` as tests that all have to hold. @throws ApiError, ImageNotFound */
export async function imageTests(engine: Engine, filters: Map<string, string[]>): Promise<ImageTest[]> {
  return Promise.all([...filters].map(([name, values]) => newTest(engine, name, values)));
}

async function newTest({ images }: Engine, name: string, values: string[]): Promise<ImageTest> {
  switch (name) {
    case 'dangling': {
      const wanted = flagOf(name, values);
      return (image) => isDangling(image) === wanted;
    }
    case 'label':
      return (image) => values.every((value) => hasLabel(labelsOf(image), value));
    case 'label!':
      return (image) => !values.some((value) => hasLabel(labelsOf(image), value));
    case 'reference':
      refuseMany(name, values);
      return (image) => values.some((value) => referenceMatches(image, value));
    case 'until': {
      const until = timeOf(values);
      return ({ created }) => Date.parse(created) <= until;
    }
    case 'before':
    case 'since': {
      const created = Date.parse((await images.find(values[0] ?? '')).created);
      return (image) => (name === 'before' ? Date.parse(image.created) < created : Date.parse(image.created) > created);
    }
    default:
      throw new ApiError(400, `invalid filter '${name.slice(0, 60)}'`);
  }
}

/** No name is left to it. */
export function isDangling({ repoTags, repoDigests }: ImageRecord): boolean {
  return repoTags.length === 0 && repoDigests.length === 0;
}

const Labels = z.record(z.string(), z.string());

function labelsOf(image: ImageRecord): Record<string, string> {
  return Labels.catch({}).parse(image.config.config?.Labels ?? {});
}

/** @throws ApiError 400 unless it is one truth value. */
export function flagOf(name: string, values: string[]): boolean {
  if (values.length === 1 && ['1', 't', 'true', 'True'].includes(values[0] ?? '')) return true;
  if (values.length === 1 && ['0', 'f', 'false', 'False'].includes(values[0] ?? '')) return false;
  throw new ApiError(400, `invalid filter '${name}=${values.join(', ').slice(0, 60)}'`);
}

/** A time, or how long ago: milliseconds since 1970. @throws ApiError 400 */
export function timeOf(values: string[]): number {
  const [value = ''] = values;
  if (values.length > 1) throw new ApiError(400, 'more than one until filter specified');
  const ago = parseGoDuration(value);
  if (ago !== undefined) return Date.now() - ago * 1000;
  const time = parseTimestamp(value);
  if (time === null)
    throw new ApiError(400, `invalid filter 'until=${value.slice(0, 60)}': neither a time nor a duration`);
  return Number(time / 1_000_000n);
}

/** The image with those of its names alone that a `reference` filter asks for. */
export function withNamesOf(image: ImageRecord, patterns: string[] | undefined): ImageRecord {
  if (patterns === undefined) return image;
  const fits = (name: string) => patterns.some((pattern) => nameMatches(name, pattern));
  return { ...image, repoTags: image.repoTags.filter(fits), repoDigests: image.repoDigests.filter(fits) };
}

/** distribution/reference, FamiliarMatch: the pattern fits a name with or without its tag, as people write it. */
function nameMatches(name: string, pattern: string): boolean {
  const at = name.includes('@') ? name.indexOf('@') : name.lastIndexOf(':');
  return [name, name.slice(0, at)].some((each) => globMatches(pattern, each));
}

function referenceMatches({ repoTags, repoDigests }: ImageRecord, pattern: string): boolean {
  return [...repoTags, ...repoDigests].some((name) => nameMatches(name, pattern));
}
