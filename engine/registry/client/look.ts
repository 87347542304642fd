/** What a registry has under a name: a manifest or an index, and for which platforms. */

import type { PulledDescriptor, PullOptions, PullPlatform } from '../contract/pull.ts';
import { isIndexType, parseIndex, parseManifest, platformOf } from '../contract/pulled-documents.ts';
import { fetchNamed, fetchSmall } from './documents.ts';

/** @throws PullRefused, and the errors of `transport` */
export async function lookAt(
  options: Pick<PullOptions, 'transport' | 'signal'>,
  reference: string,
): Promise<{ descriptor: PulledDescriptor; platforms: PullPlatform[] }> {
  const { bytes, ...descriptor } = await fetchNamed(options, reference);
  if (isIndexType(descriptor.mediaType)) {
    const platforms = parseIndex(bytes, descriptor.digest).flatMap(({ platform }) => (platform ? [platform] : []));
    return { descriptor, platforms };
  }
  const { config } = parseManifest(bytes, descriptor);
  return { descriptor, platforms: [platformOf(await fetchSmall(options, config, 'configuration'), config)] };
}
