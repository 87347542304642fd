/** What is taken out of an archive while its entries go by. */

import { UnreadableArchive } from './unreadable-archive.ts';

export type Kind = 'file' | 'link' | 'other';

export interface Picked {
  kind: Kind;
  content: Buffer;
}

export const PACK_LESS = 'Pack only the folder labs, without node_modules and .git';

/** Entries of an archive, of whatever kind. */
const MOST_ENTRIES = 50_000;
/** Bytes of one file; a learner's file may have 1 MiB, and has to be seen to be larger. */
export const MOST_OF_A_FILE = (1 << 20) + 1;
/** Files that look like one of a submission, in one archive. */
const MOST_PICKED = 200;
const LONGEST_NAME = 4096;

interface Candidate extends Picked {
  /** Of the folder that is the submission, `''` or with a slash at its end. */
  below: string;
  /** A learner's file, or a link in the place of a folder on the way to one. */
  file: string;
}

export class PickedFiles {
  readonly #wanted: Set<string>;
  readonly #onTheWay: Set<string>;
  readonly #candidates = new Map<string, Candidate>();
  #entries = 0;

  constructor(wanted: string[]) {
    this.#wanted = new Set(wanted);
    this.#onTheWay = new Set(
      wanted.flatMap((file) => file.split('/').map((_, index, all) => all.slice(0, index).join('/'))),
    );
    this.#onTheWay.delete('');
  }

  /**
   * Count an entry, and say whether its content is wanted: `take` has to be called then.
   * @throws UnreadableArchive for a path that leads out of the archive, or too many entries.
   */
  sees(name: string, kind: Kind): boolean {
    this.#entries += 1;
    if (this.#entries > MOST_ENTRIES) throw tooManyEntries();
    if (name.length > LONGEST_NAME) throw new UnreadableArchive('one of its paths has more than 4096 characters');
    const steps = name.split('/').filter((step) => step !== '' && step !== '.');
    if (name.startsWith('/') || /^[a-z]:/i.test(name) || steps.includes('..') || name.includes('\0'))
      throw leadsOut(name);
    const candidate = this.#candidate(steps, kind);
    if (candidate === undefined) return false;
    const at = candidate.below + candidate.file;
    // Programs disagree on which of two is the file.
    if (this.#candidates.has(at)) throw new UnreadableArchive(`it holds ${JSON.stringify(at)} twice`);
    if (this.#candidates.size === MOST_PICKED)
      throw new UnreadableArchive(`it holds more than ${MOST_PICKED} files that could be those of labs`);
    this.#candidates.set(at, candidate);
    return kind === 'file';
  }

  take(name: string, content: Buffer): void {
    const at = name
      .split('/')
      .filter((step) => step !== '' && step !== '.')
      .join('/');
    this.#candidates.get(at)!.content = content;
  }

  /** The files of the one submission, by their paths in it. @throws UnreadableArchive when there are two. */
  settled(): Map<string, Picked> {
    const all = [...this.#candidates.values()];
    const depth = (below: string) => below.split('/').length;
    const least = Math.min(...all.map(({ below }) => depth(below)));
    const tops = [...new Set(all.map(({ below }) => below))].filter((below) => depth(below) === least).sort();
    if (tops.length > 1)
      throw new UnreadableArchive(
        `it holds more than one submission: ${tops.map((top) => JSON.stringify(top)).join(', ')}`,
      );
    const own = all.filter(({ below }) => below === tops[0]);
    // A link on the way is made in its place, and everything behind it is not part of the submission.
    const barriers = own.filter(({ file }) => this.#onTheWay.has(file));
    const kept = own.filter(({ file }) => !barriers.some((barrier) => file.startsWith(`${barrier.file}/`)));
    return new Map(kept.map(({ file, kind, content }) => [file, { kind, content }]));
  }

  #candidate(steps: string[], kind: Kind): Candidate | undefined {
    for (const [index, step] of steps.entries()) {
      if (step !== 'labs') continue;
      const file = steps.slice(index).join('/');
      const found = this.#wanted.has(file) || (kind === 'link' && this.#onTheWay.has(file));
      const below = steps
        .slice(0, index)
        .map((each) => `${each}/`)
        .join('');
      if (found) return { below, file, kind, content: Buffer.alloc(0) };
    }
    return undefined;
  }
}

export function leadsOut(name: string): UnreadableArchive {
  return new UnreadableArchive(`the path ${JSON.stringify(name.slice(0, 200))} in it leads out of the archive`);
}

function tooManyEntries(): UnreadableArchive {
  return new UnreadableArchive(`it has more than ${MOST_ENTRIES} entries. ${PACK_LESS}`);
}

/** @throws UnreadableArchive */
export function checkCount(entries: number): void {
  if (entries > MOST_ENTRIES) throw tooManyEntries();
}
