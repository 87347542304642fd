/** One image of an index that has one for each of several platforms. OCI image-spec, image-index.md, "platform". */

import { type IndexEntry, PROOF, type PullPlatform, PullRefused } from '../contract/pull.ts';

const NAMED_MOST = 20;

/** The variant that an architecture means without one. */
const USUAL: Record<string, string> = { arm64: 'v8', arm: 'v7', amd64: 'v1' };

/**
 * The first that fits; among several variants the highest that the platform can run.
 * @throws PullRefused that lists what there is.
 */
export function choosePlatform<Entry extends IndexEntry>(
  manifests: Entry[],
  wanted: PullPlatform,
  step: string,
): Entry {
  const images = manifests.filter(
    // Docker's builders put proofs of how an image was made into the index as if they were images.
    ({ annotations, platform }) => annotations?.[PROOF] === undefined && platform?.architecture !== 'unknown',
  );
  let best: { descriptor: Entry; rank: number } | undefined;
  for (const descriptor of images) {
    const rank = rankOf(descriptor, wanted);
    if (rank !== undefined && rank > (best?.rank ?? -1)) best = { descriptor, rank };
  }
  if (best) return best.descriptor;
  // A single image without a platform may be for any; its configuration says more.
  const [only, ...others] = images;
  if (only !== undefined && others.length === 0 && !only.platform) return only;
  throw new PullRefused('not-found', step, `it has no image for ${nameOf(wanted)}; ${thereAre(images)}`);
}

/** The number of the variant; undefined when it does not run there. */
function rankOf({ platform }: IndexEntry, wanted: PullPlatform): number | undefined {
  if (!platform || platform.os !== wanted.os || platform.architecture !== wanted.architecture) return undefined;
  const has = numberOf(platform.variant, wanted.architecture);
  const wants = numberOf(wanted.variant, wanted.architecture);
  if (has === undefined || wants === undefined)
    return (platform.variant || '') === (wanted.variant || '') ? 0 : undefined;
  return has <= wants ? has : undefined;
}

function numberOf(variant: string | undefined, architecture: string): number | undefined {
  const name = variant || USUAL[architecture] || 'v0';
  return /^v\d{1,2}$/.test(name) ? Number(name.slice(1)) : undefined;
}

function nameOf({ os, architecture, variant }: PullPlatform): string {
  return [os, architecture, variant].filter(Boolean).join('/');
}

function thereAre(images: IndexEntry[]): string {
  const names = [
    ...new Set(
      images.map(({ platform }) =>
        platform
          ? nameOf(platform)
              .replace(/[^\w./-]/g, '?')
              .slice(0, 60)
          : 'one without a platform',
      ),
    ),
  ];
  if (names.length === 0) return 'it has none at all';
  return `it has ${names.slice(0, NAMED_MOST).join(', ')}${names.length > NAMED_MOST ? ', …' : ''}`;
}
