/** What a build is asked for, and what the room above does for it. */

import type { Platform } from '../commit.ts';
import type { ImageRecord, Images } from '../images.ts';
import type { BuildCache } from './cache.ts';
import type { Context } from './context.ts';

export interface BuildOptions {
  /** The Dockerfile's path in the context. */
  dockerfile: string;
  /** Its text, when it is not in the context. */
  dockerfileText?: string;
  /** A stage's name or number; the last one when it is not said. */
  target?: string;
  buildArgs: Record<string, string>;
  labels: Record<string, string>;
  /** Names of the image, each with a tag (`latest` if none). */
  tags: string[];
  noCache: boolean;
  platform?: Platform;
  /** For RUN. */
  network: Network;
  /** By id. */
  secrets: Record<string, Buffer>;
}

export type Network = 'default' | 'none' | 'host';

export interface RunMount {
  /** An absolute path in the container. */
  destination: string;
  /** On the host; undefined for a tmpfs. */
  source?: string;
  readonly: boolean;
  /** Options of a tmpfs, e.g. `size=1048576`. */
  options: string[];
}

export interface RunRequest {
  /** Overlay lowerdirs, topmost first, never none. */
  lower: string[];
  /** An empty directory that gets what the command changes, and one beside it for overlayfs. */
  upper: string;
  work: string;
  /** A directory for whatever else is needed while it runs. */
  scratch: string;
  args: string[];
  env: string[];
  /** Absolute. */
  cwd: string;
  /** `user[:group]`, empty for root. */
  user: string;
  network: Network;
  mounts: RunMount[];
  /** What it prints, as it comes. */
  onOutput(text: string): void;
  /** Ends it. */
  signal: AbortSignal;
}

/** Run a command in a container that nobody sees. @returns its exit code, when all it printed was handed over */
export type Run = (request: RunRequest) => Promise<number>;

/** What a build works with. */
export interface Builder {
  images: Images;
  cache: BuildCache;
  /** The directory of the mounts of `--mount=type=cache`, which outlive builds. */
  cacheMounts: string;
  /** A directory of this build alone, gone when it is over. */
  scratch: string;
  context: Context;
  run: Run;
  /**
   * The image that FROM names.
   * @param platform that was asked for; undefined leaves it to the image.
   * @throws ImageNotFound
   */
  findImage(reference: string, platform?: Platform): Promise<ImageRecord>;
  /** What is told to the client that waits. */
  onOutput(text: string): void;
  /** Told of the image before it gets its names. */
  onImage?(id: string): void;
  signal: AbortSignal;
}
