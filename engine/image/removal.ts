/** What removing an image comes to. Docker, "docker image rm". */

import { type Digest, shortId } from './digest.ts';
import { ImageConflict } from './image-errors.ts';
import { familiarName, parseReference } from './reference.ts';

/** As much of an image as its removal depends on. */
interface RemovableImage {
  id: Digest;
  repoTags: string[];
  repoDigests: string[];
}

/** A container that is made of the image. */
export interface ImageUser {
  id: string;
  running: boolean;
}

export interface RemovalRequest {
  /** As it was asked for, when that is one of the image's names. */
  name: string | undefined;
  force: boolean;
  users: ImageUser[];
}

export interface Removal {
  /** Names that go. */
  untag: string[];
  /** Whether the image itself goes: not while a container is made of it. */
  isDeleted: boolean;
}

/** @throws ImageConflict in Docker's words, with what is in the way. */
export function decideRemoval(image: RemovableImage, { name, force, users }: RemovalRequest): Removal {
  const names = [...image.repoTags, ...image.repoDigests];
  const [user] = users;
  if (name !== undefined) {
    const others = image.repoTags.some((tag) => tag !== name);
    if (others) return { untag: [name, ...orphanedDigests(image, name)], isDeleted: false };
    if (user && !force)
      throw new ImageConflict(
        `conflict: unable to remove repository reference "${name}" (must force) - container ${user.id.slice(0, 12)} is using its referenced image ${shortId(image.id)}`,
      );
    return { untag: names, isDeleted: !user };
  }
  const running = users.find((each) => each.running);
  const conflict = (force: string, why: string) =>
    new ImageConflict(`conflict: unable to delete ${shortId(image.id)} (${force}) - ${why}`);
  if (running)
    throw conflict('cannot be forced', `image is being used by running container ${running.id.slice(0, 12)}`);
  if (user && !force)
    throw conflict('must be forced', `image is being used by stopped container ${user.id.slice(0, 12)}`);
  if (!force && !isSingle(image)) throw conflict('must be forced', 'image is referenced in multiple repositories');
  return { untag: names, isDeleted: !user };
}

/** With the last tag of a repository go the digests that the image has there. */
function orphanedDigests({ repoTags, repoDigests }: RemovableImage, name: string): string[] {
  const repository = (each: string) => familiarName(parseReference(each));
  const own = repository(name);
  const keepsTag = repoTags.some((tag) => tag !== name && repository(tag) === own);
  if (keepsTag || !repoTags.includes(name)) return [];
  return repoDigests.filter((each) => repository(each) === own);
}

/** All names are of one repository, and at most one of them is a tag. */
function isSingle({ repoTags, repoDigests }: RemovableImage): boolean {
  const repositories = new Set([...repoTags, ...repoDigests].map((name) => familiarName(parseReference(name))));
  return repositories.size <= 1 && repoTags.length <= 1;
}
