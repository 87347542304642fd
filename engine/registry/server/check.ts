/** Everything that a registry stores, read back: what is damaged, and what is missing. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { partsOf } from './manifest-document.ts';
import { isDigest } from './names.ts';
import { digestOfFile, type Places } from './places.ts';
import { entriesOf } from './uploads.ts';

export interface CheckResult {
  repositories: number;
  manifests: number;
  blobs: number;
  /** A sentence for each fault. */
  faults: string[];
}

/** Changes nothing, so a registry may be running meanwhile: what is deleted while we read is not a fault. */
export async function checkRegistry(places: Places): Promise<CheckResult> {
  const faults: string[] = [];
  const damaged = new Set<string>();
  let [blobs, manifests] = [0, 0];
  for (const algorithm of ['sha256', 'sha512']) {
    for (const hex of entriesOf(places.blobs(algorithm))) {
      const digest = `${algorithm}:${hex}`;
      const found = isDigest(digest) ? await digestOfFileAt(places.blob(digest), algorithm) : 'not a digest';
      if (found === undefined) continue;
      blobs += 1;
      if (found === digest) continue;
      damaged.add(digest);
      const path = places.blob(digest);
      faults.push(`blob ${digest} is damaged: its bytes have the digest ${found}. Remove ${path}, and push it again.`);
    }
  }
  const names = entriesOf(places.repositories).map((directory) => places.nameOf(directory));
  for (const name of names) {
    const own = entriesOf(places.all('manifests', name));
    manifests += own.length;
    for (const file of entriesOf(places.all('blobs', name))) {
      if (await isMissing(places.blob(digestOfFile(file)), places.blobLink(name, digestOfFile(file))))
        faults.push(`repository ${name}: blob ${digestOfFile(file)} is missing. Push it again.`);
    }
    for (const file of own) faults.push(...(await manifestFaults(places, name, digestOfFile(file), damaged)));
    for (const tag of entriesOf(places.all('tags', name))) {
      const digest = await readFile(places.tag(name, tag), 'utf8').catch(() => '');
      if (!isDigest(digest)) faults.push(`repository ${name}: tag ${tag} is damaged. Push it again.`);
      else if (
        !own.includes(digest.replace(':', '-')) &&
        (await isMissing(places.manifestLink(name, digest), places.tag(name, tag)))
      )
        faults.push(
          `repository ${name}: tag ${tag} points to ${digest}, which is missing. Push it again, or delete the tag.`,
        );
    }
  }
  return { repositories: names.length, manifests, blobs, faults };
}

async function manifestFaults(places: Places, name: string, digest: string, damaged: Set<string>): Promise<string[]> {
  if (damaged.has(digest)) return [`repository ${name}: manifest ${digest} is damaged. Push it again.`];
  const link = places.manifestLink(name, digest);
  const bytes = await readFile(places.blob(digest)).catch(() => undefined);
  if (bytes === undefined) {
    const missing = await isMissing(places.blob(digest), link);
    return missing ? [`repository ${name}: manifest ${digest} is missing. Push it again.`] : [];
  }
  const faults: string[] = [];
  for (const need of partsOf(bytes)) {
    if (need.elsewhere) continue;
    const place = need.kind === 'blob' ? places.blobLink(name, need.digest) : places.manifestLink(name, need.digest);
    if (await isMissing(place, link))
      faults.push(
        `repository ${name}: manifest ${digest} needs ${need.kind} ${need.digest}, which is missing. Push it again.`,
      );
  }
  return faults;
}

/** Whether a file is gone while the one that refers to it is there. */
async function isMissing(path: string, referrer: string): Promise<boolean> {
  return !(await exists(path)) && (await exists(referrer)) && !(await exists(path));
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Undefined if the file is gone. */
async function digestOfFileAt(path: string, algorithm: string): Promise<string | undefined> {
  const hash = createHash(algorithm);
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? undefined : `(not readable: ${message})`;
  }
  return `${algorithm}:${hash.digest('hex')}`;
}
