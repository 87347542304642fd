import { ContainerConfig, HostConfig } from '../../container/config.ts';
import { requireRunning } from '../../container/container.ts';
import { createContainer } from '../../container/create.ts';
import { adaptLimits } from '../../container/kernel-lacks.ts';
import { discardedPorts } from '../../container/networks/check-options.ts';
import { NetworkingConfig } from '../../container/networks/endpoint.ts';
import { pauseContainer, unpauseContainer } from '../../container/pause.ts';
import { listProcesses } from '../../container/processes.ts';
import { remove } from '../../container/remove.ts';
import { renameContainer } from '../../container/rename.ts';
import { restartContainer } from '../../container/restart.ts';
import { parseSignal } from '../../container/signals.ts';
import { startContainer } from '../../container/start.ts';
import { killContainer, stopContainer } from '../../container/stop.ts';
import { treeSize } from '../../container/tree-size.ts';
import { refuseUnsupported, refuseUnsupportedUpdate } from '../../container/unsupported.ts';
import { UpdateRequest, updateContainer } from '../../container/update.ts';
import { ApiError } from '../api-error.ts';
import { validate } from '../body.ts';
import type { Call } from '../call.ts';
import { CONTAINER_FILTERS, selectContainers } from '../container-filters.ts';
import { containerInspect } from '../views/container-inspect.ts';
import { containerSummary } from '../views/container-summary.ts';
import { resizeTerminal } from './resize.ts';

const SIGKILL = 9;

function findContainer(call: Call) {
  return call.engine.containers.find(call.parameter('id'));
}

/** `GET /containers/json`: newest first. */
export async function listContainers(call: Call): Promise<void> {
  const { engine, query } = call;
  const limit = query.integer('limit', { min: -1, max: 1e9 });
  const containers = await selectContainers(engine, {
    all: query.flag('all') || (limit !== undefined && limit > 0),
    limit: limit !== undefined && limit > 0 ? limit : undefined,
    filters: query.filters(CONTAINER_FILTERS),
  });
  const size = query.flag('size');
  call.send(200, await Promise.all(containers.map((container) => containerSummary(engine, container, { size }))));
}

/** `POST /containers/create` */
export async function createContainerRoute(call: Call): Promise<void> {
  const body = await call.json('large');
  refuseUnsupported(body);
  const config = validate(ContainerConfig, body);
  const { hostConfig, warnings } = adaptLimits(validate(HostConfig, body.HostConfig ?? {}));
  if (config.Image === '') throw new ApiError(400, 'no image specified: name the image the container is to be made of');
  const platform = call.query.text('platform');
  const networking = validate(NetworkingConfig, body.NetworkingConfig ?? {});
  const name = call.query.text('name');
  const container = await createContainer(call.engine, { name, config, hostConfig, networking, platform });
  const discarded = discardedPorts(container.record.hostConfig);
  call.send(201, { Id: container.id, Warnings: [...warnings, ...(discarded === undefined ? [] : [discarded])] });
}

/** `GET /containers/{id}/json` */
export async function inspectContainer(call: Call): Promise<void> {
  call.send(200, await containerInspect(call.engine, findContainer(call), { size: call.query.flag('size') }));
}

/** `GET /containers/{id}/top` */
export async function topContainer(call: Call): Promise<void> {
  const table = await listProcesses(call.engine, findContainer(call), call.query.text('ps_args'));
  call.send(200, { Titles: table.titles, Processes: table.processes });
}

/** `POST /containers/{id}/start` */
export async function startContainerRoute(call: Call): Promise<void> {
  await startContainer(call.engine, findContainer(call));
  call.sendNothing(204);
}

/** `POST /containers/{id}/stop` */
export async function stopContainerRoute(call: Call): Promise<void> {
  await stopContainer(call.engine, findContainer(call), stopOptions(call));
  call.sendNothing(204);
}

/** `POST /containers/{id}/restart` */
export async function restartContainerRoute(call: Call): Promise<void> {
  await restartContainer(call.engine, findContainer(call), stopOptions(call));
  call.sendNothing(204);
}

function stopOptions({ query }: Call): { signal?: number; timeout?: number } {
  const signal = query.text('signal');
  const timeout = query.integer('t', { min: -1, max: 1_000_000 });
  return { ...(signal !== '' && { signal: parseSignal(signal) }), ...(timeout !== undefined && { timeout }) };
}

/** `POST /containers/{id}/kill` */
export async function killContainerRoute(call: Call): Promise<void> {
  const signal = call.query.text('signal');
  await killContainer(call.engine, findContainer(call), signal === '' ? SIGKILL : parseSignal(signal));
  call.sendNothing(204);
}

/** `POST /containers/{id}/pause` */
export async function pauseContainerRoute(call: Call): Promise<void> {
  await pauseContainer(call.engine, findContainer(call));
  call.sendNothing(204);
}

/** `POST /containers/{id}/unpause` */
export async function unpauseContainerRoute(call: Call): Promise<void> {
  await unpauseContainer(call.engine, findContainer(call));
  call.sendNothing(204);
}

/** `POST /containers/{id}/update` */
export async function updateContainerRoute(call: Call): Promise<void> {
  const body = await call.json();
  refuseUnsupportedUpdate(body, Object.keys(UpdateRequest.shape));
  const asked = validate(UpdateRequest, body);
  call.send(200, { Warnings: await updateContainer(call.engine, findContainer(call), asked) });
}

/** `POST /containers/{id}/rename` */
export async function renameContainerRoute(call: Call): Promise<void> {
  await renameContainer(call.engine, findContainer(call), call.query.text('name'));
  call.sendNothing(204);
}

/** `POST /containers/{id}/resize` */
export async function resizeContainer(call: Call): Promise<void> {
  const container = findContainer(call);
  requireRunning(container);
  await resizeTerminal(call, { container: container.id });
}

/** `DELETE /containers/{id}` */
export async function removeContainerRoute(call: Call): Promise<void> {
  if (call.query.flag('link')) throw new ApiError(501, 'This engine has no links. Leave --link out.');
  await remove(call.engine, findContainer(call), { force: call.query.flag('force'), volumes: call.query.flag('v') });
  call.sendNothing(204);
}

/** `POST /containers/prune`: all that do not run. */
export async function pruneContainers(call: Call): Promise<void> {
  const { engine } = call;
  const filters = call.query.filters(['label', 'label!', 'until']);
  const stopped = await selectContainers(engine, { all: true, filters });
  const deleted: string[] = [];
  let reclaimed = 0;
  for (const container of stopped.filter(({ running, restarting }) => !running && !restarting)) {
    const size = treeSize(container.paths.upper);
    // One that somebody starts or removes meanwhile is not ours any more.
    const gone = await remove(engine, container, {}).then(
      () => true,
      () => false,
    );
    if (!gone) continue;
    deleted.push(container.id);
    reclaimed += size;
  }
  engine.events.emit('container', 'prune', '', { reclaimed: String(reclaimed) });
  call.send(200, { ContainersDeleted: deleted, SpaceReclaimed: reclaimed });
}
