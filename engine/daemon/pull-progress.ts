/** A pull in Docker's words, line by line, so that the docker command draws its bars. */

import type { Engine } from '../container/engine.ts';
import type { ImageRecord } from '../image/images.ts';
import { familiarName, familiarReference } from '../image/reference.ts';
import type { PullRequest } from '../registry/client/puller.ts';
import type { PullEvent } from '../registry/contract/pull.ts';
import type { Progress } from './json-stream.ts';

/** Pull one image, and tell of it from the first line to the last. @throws as `Puller.pull` */
export async function pullAndTell(
  engine: Engine,
  request: Omit<PullRequest, 'onEvent'>,
  write: (line: Progress) => void,
): Promise<ImageRecord> {
  const { reference } = request;
  const name = familiarReference(reference);
  const lines = pullLines(write);
  const { image, digest, isUpToDate } = await engine.puller.pull({
    ...request,
    onEvent: (event) => {
      if (event.type === 'layers')
        write({ status: `Pulling from ${reference.path}`, id: reference.digest ?? reference.tag! });
      lines(event);
    },
  });
  engine.events.emit('image', 'pull', name, { name: familiarName(reference) });
  write({ status: `Digest: ${digest}` });
  write({
    status: isUpToDate ? `Status: Image is up to date for ${name}` : `Status: Downloaded newer image for ${name}`,
  });
  return image;
}

/** Turns what a pull tells into lines. A layer that comes twice in an image has one line. */
function pullLines(write: (progress: Progress) => void): (event: PullEvent) => void {
  const sizes = new Map<string, number>();
  return (event) => {
    if (event.type === 'layers') {
      for (const { digest, size } of event.layers) {
        if (!sizes.has(digest)) write({ status: 'Pulling fs layer', progressDetail: {}, id: shortOf(digest) });
        sizes.set(digest, size);
      }
      return;
    }
    const id = shortOf(event.digest);
    switch (event.type) {
      case 'downloading': {
        const { current, total } = event;
        const progress = barOf(current, total);
        return write({ status: 'Downloading', progressDetail: { current, total }, progress, id });
      }
      case 'retrying':
        return write({
          status: `Retrying in ${event.seconds} second${event.seconds === 1 ? '' : 's'}`,
          progressDetail: {},
          id,
        });
      case 'downloaded': {
        const total = sizes.get(event.digest) ?? 0;
        write({ status: 'Download complete', progressDetail: {}, id });
        const progressDetail = { current: total, total };
        return write({ status: 'Extracting', progressDetail, progress: barOf(total, total), id });
      }
      case 'done':
        return write({ status: event.how === 'present' ? 'Already exists' : 'Pull complete', progressDetail: {}, id });
    }
  };
}

function shortOf(digest: string): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + 12);
}

const WIDTH = 50;

/** What the docker command shows when it cannot reckon itself. */
function barOf(current: number, total: number): string {
  const done = total === 0 ? WIDTH : Math.floor((current / total) * WIDTH);
  const bar = `${'='.repeat(done)}>`.padEnd(WIDTH + 1).slice(0, WIDTH + 1);
  return `[${bar}] ${humanSize(current).padStart(6)}/${humanSize(total)}`;
}

/** As Docker writes sizes: three digits and a decimal unit. */
function humanSize(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let [size, unit] = [bytes, 0];
  while (size >= 1000 && unit < units.length - 1) [size, unit] = [size / 1000, unit + 1];
  return `${Number(size.toPrecision(4))}${units[unit]}`;
}
