import findMyWay, { type HTTPMethod } from 'find-my-way';
import type { Call } from './call.ts';
import { loadImages, saveImages } from './routes/archives.ts';
import { attach, attachWebSocket } from './routes/attach.ts';
import { authRoute } from './routes/auth.ts';
import { buildRoute, pruneBuilds } from './routes/build.ts';
import { commitRoute } from './routes/commit.ts';
import {
  createContainerRoute,
  inspectContainer,
  killContainerRoute,
  listContainers,
  pauseContainerRoute,
  pruneContainers,
  removeContainerRoute,
  renameContainerRoute,
  resizeContainer,
  restartContainerRoute,
  startContainerRoute,
  stopContainerRoute,
  topContainer,
  unpauseContainerRoute,
  updateContainerRoute,
} from './routes/containers.ts';
import { diskUsage } from './routes/disk-usage.ts';
import { distributionRoute } from './routes/distribution.ts';
import { events } from './routes/events.ts';
import { createExecRoute, inspectExec, resizeExec, startExecRoute } from './routes/exec.ts';
import { containerChanges, exportContainerRoute, getArchive, putArchive, statArchive } from './routes/files.ts';
import { createImage, getImage, listImages, postImage, pruneImages, removeImage } from './routes/images.ts';
import { logs } from './routes/logs.ts';
import {
  connectRoute,
  createNetworkRoute,
  disconnectRoute,
  inspectNetwork,
  inspectPlugin,
  listNetworks,
  listPlugins,
  pruneNetworks,
  removeNetworkRoute,
} from './routes/networks.ts';
import { searchRoute } from './routes/search.ts';
import { stats } from './routes/stats.ts';
import { info, ping, version } from './routes/system.ts';
import { UNSUPPORTED, unsupported } from './routes/unsupported.ts';
import {
  createVolumeRoute,
  inspectVolume,
  listVolumesRoute,
  pruneVolumes,
  removeVolumeRoute,
} from './routes/volumes.ts';
import { wait } from './routes/wait.ts';

export type Handler = (call: Call) => Promise<void> | void;

const ROUTES: [method: HTTPMethod, path: string, handler: Handler][] = [
  ['GET', '/_ping', ping],
  ['HEAD', '/_ping', ping],
  ['GET', '/version', version],
  ['GET', '/info', info],
  ['GET', '/events', events],
  ['POST', '/auth', authRoute],

  ['GET', '/containers/json', listContainers],
  ['POST', '/containers/create', createContainerRoute],
  ['POST', '/containers/prune', pruneContainers],
  ['GET', '/containers/:id/json', inspectContainer],
  ['GET', '/containers/:id/top', topContainer],
  ['GET', '/containers/:id/stats', stats],
  ['GET', '/containers/:id/logs', logs],
  ['POST', '/containers/:id/start', startContainerRoute],
  ['POST', '/containers/:id/stop', stopContainerRoute],
  ['POST', '/containers/:id/restart', restartContainerRoute],
  ['POST', '/containers/:id/kill', killContainerRoute],
  ['POST', '/containers/:id/pause', pauseContainerRoute],
  ['POST', '/containers/:id/unpause', unpauseContainerRoute],
  ['POST', '/containers/:id/update', updateContainerRoute],
  ['POST', '/containers/:id/rename', renameContainerRoute],
  ['POST', '/containers/:id/resize', resizeContainer],
  ['POST', '/containers/:id/wait', wait],
  ['POST', '/containers/:id/attach', attach],
  ['GET', '/containers/:id/attach/ws', attachWebSocket],
  ['GET', '/containers/:id/changes', containerChanges],
  ['GET', '/containers/:id/export', exportContainerRoute],
  ['GET', '/containers/:id/archive', getArchive],
  ['HEAD', '/containers/:id/archive', statArchive],
  ['PUT', '/containers/:id/archive', putArchive],
  ['DELETE', '/containers/:id', removeContainerRoute],

  ['POST', '/containers/:id/exec', createExecRoute],
  ['POST', '/exec/:id/start', startExecRoute],
  ['POST', '/exec/:id/resize', resizeExec],
  ['GET', '/exec/:id/json', inspectExec],

  ['POST', '/commit', commitRoute],
  ['POST', '/build', buildRoute],
  ['POST', '/build/prune', pruneBuilds],

  ['GET', '/images/json', listImages],
  ['POST', '/images/create', createImage],
  ['GET', '/images/get', saveImages],
  ['GET', '/images/search', searchRoute],
  ['POST', '/images/load', loadImages],
  ['POST', '/images/prune', pruneImages],
  ['GET', '/images/*', getImage],
  ['POST', '/images/*', postImage],
  ['DELETE', '/images/*', removeImage],

  ['GET', '/volumes', listVolumesRoute],
  ['POST', '/volumes/create', createVolumeRoute],
  ['POST', '/volumes/prune', pruneVolumes],
  ['GET', '/volumes/*', inspectVolume],
  ['DELETE', '/volumes/*', removeVolumeRoute],

  ['GET', '/networks', listNetworks],
  ['POST', '/networks/create', createNetworkRoute],
  ['POST', '/networks/prune', pruneNetworks],
  ['GET', '/networks/:id', inspectNetwork],
  ['DELETE', '/networks/:id', removeNetworkRoute],
  ['POST', '/networks/:id/connect', connectRoute],
  ['POST', '/networks/:id/disconnect', disconnectRoute],

  ['GET', '/plugins', listPlugins],
  ['GET', '/plugins/*', inspectPlugin],

  ['GET', '/distribution/*', distributionRoute],

  ['GET', '/system/df', diskUsage],
];

/** The implemented routes of the Docker Engine API, and those answered with 501. Names with slashes take a `*`. */
export function newRouter() {
  const router = findMyWay({ maxParamLength: 4096 });
  for (const [method, path, handler] of ROUTES) router.on(method, path, handler as unknown as () => void);
  for (const [method, path, what] of UNSUPPORTED)
    router.on(method, path, unsupported(`${method} ${path}`, what) as unknown as () => void);
  return router;
}
