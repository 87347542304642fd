import * as z from 'zod';
import { ContainerConfig, HostConfig } from './config.ts';
import { HealthState } from './health.ts';
import { ContainerMount } from './mounts.ts';
import { EndpointRecord, PublishedRecord } from './networks/endpoint.ts';
import type { Status } from './state.ts';

/** What is kept of a container on the disk: all one needs to start it again, and what became of it. */
export const ContainerRecord = z.object({
  version: z.literal(1),
  id: z.string().regex(/^[0-9a-f]{64}$/),
  name: z.string(),
  /** RFC 3339 with nanoseconds, as all times here. */
  created: z.string(),
  /** The image's id, and the name it was asked for by. */
  image: z.object({ id: z.string(), reference: z.string() }),
  /** The request with what the image adds to it. */
  config: ContainerConfig,
  hostConfig: HostConfig,
  /** Entrypoint and command as one list. */
  args: z.array(z.string()).min(1),
  mounts: z.array(ContainerMount),
  /** Its places in networks, in the order of their links. */
  endpoints: z.array(EndpointRecord).default([]),
  /** Its ports that are published now. */
  published: z.array(PublishedRecord).default([]),
  status: z.enum(['created', 'running', 'paused', 'restarting', 'exited', 'dead', 'removing'] satisfies Status[]),
  /** While it runs: the process, by number and start time together. 0 and empty else. */
  pid: z.int(),
  startTime: z.string(),
  startedAt: z.string(),
  finishedAt: z.string(),
  exitCode: z.int(),
  oomKilled: z.boolean(),
  /** How often its restart policy has started it since a client did. */
  restartCount: z.int().default(0),
  /** A client has stopped or killed it since its last start. */
  stoppedByHand: z.boolean().default(false),
  /** Of a container with a health check that has been started. */
  health: HealthState.optional(),
  /** Why the last start failed. */
  error: z.string(),
});
export type ContainerRecord = z.infer<typeof ContainerRecord>;
