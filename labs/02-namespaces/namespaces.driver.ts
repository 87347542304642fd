/**
 * How the engine uses the plank `namespaces`: the story of a start, without a root file system of its own.
 * The check runs this with your module, and then looks at what became of the process from outside.
 */

import { close, O_RDWR, open, pipe, read, readAll, write } from '#kernel/descriptors';
import { kill } from '#kernel/signals';
import { cloneFlags, configureNamespaces, enterNamespaces, writeIdMappings } from '#namespaces';
import { spawn } from '#process';
import type { IdMapping, Namespace } from '#spec';

export interface ContainerRequest {
  args: string[];
  env: string[];
  namespaces: Namespace[];
  uidMappings?: IdMapping[];
  gidMappings?: IdMapping[];
  hostname?: string;
  domainname?: string;
}

interface Waiting {
  pid: number;
  report: number;
  go: number;
}

let waiting: Waiting | undefined;

/** Fork the child and map its ids; it waits for `letGo`. @returns its pid, as the subject sees it. */
export function prepareContainer(request: ContainerRequest): number {
  const { args, env, namespaces, uidMappings = [], gidMappings = [], hostname, domainname } = request;
  const go = pipe();
  const devNull = open('/dev/null', O_RDWR);
  const child = spawn(
    { args, env, cwd: '/', stdio: [devNull, devNull, devNull] },
    {
      cloneFlags: cloneFlags(namespaces),
      prepare: () => {
        close(go.write);
        if (read(go.read, 1)?.length !== 1) throw new Error('The parent gave up before it said "go".');
        enterNamespaces(namespaces);
        configureNamespaces(namespaces, { hostname, domainname });
      },
    },
  );
  close(devNull);
  close(go.read);
  try {
    if (uidMappings.length > 0) writeIdMappings(child.pid, uidMappings, gidMappings);
  } catch (error) {
    kill(child.pid, 9);
    throw error;
  }
  waiting = { pid: child.pid, report: child.report, go: go.write };
  return child.pid;
}

/** Let the prepared child go on, and wait until it has become its program. Throws what kept it from that. */
export function letGo(): void {
  if (!waiting) throw new Error('No container is waiting.');
  const { report, go } = waiting;
  waiting = undefined;
  write(go, '.');
  close(go);
  const failure = readAll(report);
  close(report);
  if (failure) throw new Error(`the child failed: ${(JSON.parse(failure) as { message: string }).message}`);
}

export function startContainer(request: ContainerRequest): number {
  const pid = prepareContainer(request);
  letGo();
  return pid;
}
