/** What an instruction comes to, before it is known whether the cache has it. */

import type { SourceFile } from '#contract/build';
import type { ArchiveEntry } from '../archive.ts';
import type { Builder, BuildOptions } from './options.ts';
import type { StackTree } from './stack-tree.ts';
import type { State } from './state.ts';
import type { Arguments } from './variables.ts';

/** What a step needs from the rest of the build. */
export interface StageContext {
  builder: Builder;
  options: BuildOptions;
  dockerfile: { name: string; escapeToken: string };
  args: Arguments;
  /** What everything is dated, when the user wants it the same again: milliseconds since the epoch. */
  sourceDate: number | undefined;
  /** The files of another stage, or of an image. */
  treeOf(reference: string): Promise<StackTree>;
  say(text: string): void;
  /** `Step 3/7`, counted on. */
  nextStep(): string;
}

export interface Planning {
  context: StageContext;
  state: State;
  /** With the stage's variables. */
  expand(word: string): string;
}

export interface Plan {
  /** With the variables expanded: with `files` and the step before, it is what the cache goes by. */
  identity: string;
  /** For the history. */
  createdBy: string;
  files: SourceFile[];
  execution: State['execution'];
  author?: string;
  /** Makes the layer; absent when there is none to make. @param time what new files are dated */
  layer?: (time: Date) => Promise<NewLayer>;
}

export interface NewLayer {
  /** When there are none no layer is made. */
  entries: ArchiveEntry[];
  /** Called when the entries have been read, or were not needed. */
  dispose?: () => void;
}
