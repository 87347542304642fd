/**
 * How the engine uses the plank `namespaces`: the story of a start, without a root file system of its own. The check runs
 * this with those of your functions that it judges, and the engine's own in place of the others; then it looks from outside
 * at what became of the process.
 */

import { getCapabilities, setCapabilities } from '#kernel/credentials';
import { close, O_RDWR, open, pipe, read, readAll, write } from '#kernel/descriptors';
import { mount } from '#kernel/mounts';
import { kill } from '#kernel/signals';
import * as mine from '#namespaces';
import { spawn } from '#process';
import type { IdMapping, Namespace } from '#spec';
import * as reference from '../../engine/runtime/namespaces.ts';
import { atOnce } from '../../grader/harness/at-once.ts';

export interface ContainerRequest {
  args: string[];
  env: string[];
  namespaces: Namespace[];
  uidMappings?: IdMapping[];
  gidMappings?: IdMapping[];
  hostname?: string;
  domainname?: string;
  /** The task whose function is yours; 0 for none. */
  task: number;
  /** Where the child stops on its way, besides before its "go". */
  stops?: ('joining' | 'entered')[];
  /** Capabilities, as bits, that the caller of your function gives up from its effective set first. */
  without?: bigint;
  /** Leave names and loopback as they are. */
  unfurnished?: boolean;
  /** At last, mount an empty file system over /proc. */
  hideProc?: boolean;
}

interface Waiting {
  pid: number;
  report: number;
  stopped: number;
  go: number;
}

let waiting: Waiting | undefined;

const plankOf = (request: ContainerRequest, task: number) => (request.task === task ? mine : reference);

/** Fork the child and map its ids; it waits for `letGo`. @returns its pid, as the subject sees it. */
export function prepareContainer(request: ContainerRequest): number {
  const { args, env, namespaces, uidMappings = [], gidMappings = [], hostname, domainname, stops = [] } = request;
  const [stopped, go] = [pipe(), pipe()];
  const devNull = open('/dev/null', O_RDWR);
  const stop = (place: 'joining' | 'entered') => {
    if (!stops.includes(place)) return;
    write(stopped.write, '.');
    read(go.read, 1);
  };
  const child = spawn(
    { args, env, cwd: '/', stdio: [devNull, devNull, devNull] },
    {
      cloneFlags: atOnce('cloneFlags', plankOf(request, 1).cloneFlags(namespaces)),
      prepare: () => {
        close(go.write);
        close(stopped.read);
        if (read(go.read, 1)?.length !== 1) throw new Error('The parent gave up before it said "go".');
        stop('joining');
        if (request.task === 3) giveUp(request);
        atOnce('enterNamespaces', plankOf(request, 3).enterNamespaces(namespaces));
        stop('entered');
        if (request.task === 4) giveUp(request);
        if (request.hideProc) mount({ source: 'none', target: '/proc', type: 'tmpfs' });
        if (request.unfurnished) return;
        atOnce('configureNamespaces', plankOf(request, 4).configureNamespaces(namespaces, { hostname, domainname }));
      },
    },
  );
  for (const fd of [devNull, go.read, stopped.write]) close(fd);
  try {
    if (uidMappings.length > 0) map(request, child.pid, uidMappings, gidMappings);
  } catch (error) {
    kill(child.pid, 9);
    throw error;
  }
  waiting = { pid: child.pid, report: child.report, go: go.write, stopped: stopped.read };
  return child.pid;
}

function map(request: ContainerRequest, pid: number, uidMappings: IdMapping[], gidMappings: IdMapping[]): void {
  const before = getCapabilities();
  if (request.task === 2) giveUp(request);
  try {
    atOnce('writeIdMappings', plankOf(request, 2).writeIdMappings(pid, uidMappings, gidMappings));
  } finally {
    if (request.without !== undefined) setCapabilities(before);
  }
}

function giveUp({ without }: ContainerRequest): void {
  if (without === undefined) return;
  const held = getCapabilities();
  setCapabilities({ ...held, effective: held.effective & ~without });
}

/**
 * Let the prepared child go on to its next stop, or become its program. Throws what kept it from that.
 * @returns whether it stands at a stop.
 */
export function letGo(): boolean {
  if (!waiting) throw new Error('No container is waiting.');
  const { report, go, stopped } = waiting;
  write(go, '.');
  if (read(stopped, 1)?.length === 1) return true;
  waiting = undefined;
  const failure = readAll(report);
  for (const fd of [go, report, stopped]) close(fd);
  if (failure) throw new Error(`the child failed: ${(JSON.parse(failure) as { message: string }).message}`);
  return false;
}

export function startContainer(request: ContainerRequest): number {
  const pid = prepareContainer(request);
  while (letGo());
  return pid;
}

/** The mask itself. */
export function maskOf(namespaces: Namespace[]): bigint {
  return atOnce('cloneFlags', mine.cloneFlags(namespaces));
}
