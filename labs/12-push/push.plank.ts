/**
 * What a whole push takes for the plank: your functions, and the engine's own for what you have not written yet, so that a
 * test of one of them does not fail for another.
 */

import type { PushPlank } from '#contract/push';
import * as yours from '#push';
import * as engine from '../../engine/registry/push.ts';

function written<Name extends keyof PushPlank>(name: Name): PushPlank[Name] {
  const push = async (...args: never[]): Promise<unknown> => {
    const [own, others] = [yours, engine] as unknown as Record<string, (...args: never[]) => unknown>[];
    // The test is the one of pushManifest.
    if (name === 'pushManifest') return await own![name]!(...args);
    try {
      if (typeof own![name] !== 'function') return await others![name]!(...args);
      return await own![name]!(...args);
    } catch (error) {
      if ((error as Error).name !== 'NotImplemented') throw error;
      return await others![name]!(...args);
    }
  };
  return push as unknown as PushPlank[Name];
}

export const beginUpload = written('beginUpload');
export const sendBytes = written('sendBytes');
export const resumeUpload = written('resumeUpload');
export const pushBlob = written('pushBlob');
export const pushManifest = written('pushManifest');
