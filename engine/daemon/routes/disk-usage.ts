import { listVolumes } from '../../container/volumes.ts';
import { ApiError } from '../api-error.ts';
import type { Call } from '../call.ts';
import { containerSummary } from '../views/container-summary.ts';
import { imageSummary, sharedSizes, virtualSize } from '../views/image.ts';
import { volumeUsageView } from '../views/volume.ts';

const TYPES = ['build-cache', 'container', 'image', 'volume'];

/** `GET /system/df` */
export async function diskUsage(call: Call): Promise<void> {
  const { engine, query } = call;
  const asked = query.texts('type');
  const unknown = asked.find((type) => !TYPES.includes(type));
  if (unknown !== undefined) throw new ApiError(400, `unknown object type: ${unknown.slice(0, 60)}`);
  const wants = (type: string) => asked.length === 0 || asked.includes(type);
  const images = wants('image') ? await engine.images.list() : [];
  const shared = sharedSizes(images);
  call.send(200, {
    ...(wants('image') && {
      LayersSize: await engine.images.layersSize(),
      Images: images.map((image) => ({ ...imageSummary(engine, image, shared), ...virtualSize(call, image) })),
    }),
    ...(wants('container') && {
      Containers: await Promise.all(
        engine.containers.all().map((container) => containerSummary(engine, container, { size: true })),
      ),
    }),
    ...(wants('volume') && { Volumes: listVolumes(engine).map((volume) => volumeUsageView(engine, volume)) }),
    ...(wants('build-cache') && { BuildCache: [] }),
  });
}
