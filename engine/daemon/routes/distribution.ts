import { parseReference, withDefaultTag } from '../../image/reference.ts';
import { ApiError } from '../api-error.ts';
import type { Call } from '../call.ts';
import { registryAuth } from '../registry-auth.ts';

/** `GET /distribution/{name}/json`: what a registry has under a name, without pulling it. */
export async function distributionRoute(call: Call): Promise<void> {
  const [, name] = /^(.+)\/json$/.exec(call.parameter('*')) ?? [];
  if (name === undefined) throw new ApiError(404, 'page not found');
  const reference = withDefaultTag(parseReference(name));
  const { descriptor, platforms } = await call.engine.puller.look({
    reference,
    credentials: registryAuth(call),
    signal: call.signal,
  });
  call.send(200, {
    Descriptor: { mediaType: descriptor.mediaType, digest: descriptor.digest, size: descriptor.size },
    Platforms: platforms.map(({ architecture, os, variant }) => ({
      architecture,
      os,
      ...(variant !== undefined && { variant }),
    })),
  });
}
