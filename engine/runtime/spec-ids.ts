import type { Spec } from './spec.ts';

/** Who root of the container's new user namespace is on the host; null without one. */
export function hostIdsOfRoot({ uidMappings, gidMappings }: Spec['linux']): { uid: number; gid: number } | null {
  const uid = uidMappings?.find(({ containerID }) => containerID === 0)?.hostID;
  const gid = gidMappings?.find(({ containerID }) => containerID === 0)?.hostID;
  return uid === undefined || gid === undefined ? null : { uid, gid };
}
