import * as z from 'zod';
import type { Engine } from '../../container/engine.ts';
import { treeSize } from '../../container/tree-size.ts';
import {
  createVolume,
  findVolume,
  listVolumes,
  removeVolume,
  usersOfVolume,
  type Volume,
} from '../../container/volumes.ts';
import { Turn } from '../../image/turn.ts';
import { ApiError } from '../api-error.ts';
import type { Call } from '../call.ts';
import { flagOf } from '../image-filters.ts';
import { hasLabel } from '../labels.ts';
import { namePatterns } from '../name-pattern.ts';
import { string } from '../schema.ts';
import { volumeView } from '../views/volume.ts';

/** `GET /volumes` */
export function listVolumesRoute(call: Call): void {
  const { engine, query } = call;
  const tests = volumeTests(engine, query.filters(['dangling', 'driver', 'label', 'label!', 'name']));
  const volumes = listVolumes(engine).filter((volume) => tests.every((test) => test(volume)));
  call.send(200, { Volumes: volumes.map(volumeView), Warnings: [] });
}

const map = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {});
const VolumeOptions = z.object({ Name: string, Driver: string, DriverOpts: map, Labels: map });

/** `POST /volumes/create` */
export async function createVolumeRoute(call: Call): Promise<void> {
  const { Name, Driver, DriverOpts, Labels } = await call.body(VolumeOptions);
  if (Driver !== '' && Driver !== 'local')
    throw new ApiError(
      501,
      `This engine has local volumes only, and no driver "${Driver.slice(0, 60)}". Leave --driver out.`,
    );
  if (Object.keys(DriverOpts).length > 0)
    throw new ApiError(501, 'This engine makes volumes without options. Leave --opt out.');
  call.send(201, volumeView(createVolume(call.engine, { name: Name, labels: Labels })));
}

/** `GET /volumes/{name}` */
export function inspectVolume(call: Call): void {
  call.send(200, volumeView(findVolume(call.engine, call.parameter('*'))));
}

/** `DELETE /volumes/{name}` */
export function removeVolumeRoute(call: Call): void {
  const { engine, query } = call;
  const name = call.parameter('*');
  const isMissing = () => !listVolumes(engine).some((volume) => volume.name === name);
  if (!(query.flag('force') && isMissing())) removeVolume(engine, name);
  call.sendNothing(204);
}

/** `POST /volumes/prune`: those that nobody uses; anonymous ones only, unless `all` says otherwise. */
export async function pruneVolumes(call: Call): Promise<void> {
  const { engine, query } = call;
  const filters = query.filters(['all', 'label', 'label!']);
  const all = filters.get('all');
  // Before it knew `all`, the API meant all of them.
  const everything = all ? flagOf('all', all) : !call.speaks('1.42');
  filters.delete('all');
  const tests = volumeTests(engine, filters);
  const deleted: string[] = [];
  let reclaimed = 0;
  const turn = new Turn();
  for (const volume of listVolumes(engine)) {
    await turn.pass();
    if (!(everything || volume.anonymous) || !tests.every((test) => test(volume))) continue;
    if (usersOfVolume(engine, volume.name).length > 0) continue;
    reclaimed += treeSize(volume.mountpoint);
    removeVolume(engine, volume.name);
    deleted.push(volume.name);
  }
  engine.events.emit('volume', 'prune', '', { reclaimed: String(reclaimed) });
  call.send(200, { VolumesDeleted: deleted, SpaceReclaimed: reclaimed });
}

function volumeTests(engine: Engine, filters: Map<string, string[]>): ((volume: Volume) => boolean)[] {
  return [...filters].map(([name, values]) => {
    if (name === 'dangling') {
      const wanted = flagOf(name, values);
      return (volume) => (usersOfVolume(engine, volume.name).length === 0) === wanted;
    }
    if (name === 'driver') return () => values.includes('local');
    if (name === 'name') {
      const fits = namePatterns(name, values);
      return (volume) => fits(volume.name);
    }
    if (name === 'label') return ({ labels }) => values.every((value) => hasLabel(labels, value));
    return ({ labels }) => !values.some((value) => hasLabel(labels, value));
  });
}
