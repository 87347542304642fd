/** The plank of lab `build`: the decisions of a build. Running and copying, which follow from them, are the engine's. */

/** One stage of a Dockerfile, from a FROM to the next. */
export interface StageOutline {
  /** What `AS` calls it. */
  name?: string;
  /** What `FROM` names: an earlier stage, or an image. */
  base: string;
  /** What `COPY --from` and mounts name: an earlier stage by name or number, or an image. */
  uses: string[];
}

/** An instruction's command: a list that is run as it is, or a line for the shell. */
export type Command = { exec: string[] } | { shell: string };

/** An instruction that changes nothing but the image's configuration, its variables expanded. */
export type Change =
  | { keyword: 'ENV' | 'LABEL'; pairs: [name: string, value: string][] }
  | { keyword: 'WORKDIR' | 'USER' | 'STOPSIGNAL' | 'ONBUILD'; value: string }
  | { keyword: 'EXPOSE' | 'VOLUME'; values: string[] }
  | { keyword: 'CMD' | 'ENTRYPOINT'; command: Command }
  | { keyword: 'SHELL'; command: { exec: string[] } };

/** OCI image-spec, config.md, "config", as far as a `Change` reaches it. Docker adds `Shell`. */
export interface Settings {
  User?: string;
  Env?: string[];
  Entrypoint?: string[];
  Cmd?: string[];
  WorkingDir?: string;
  Labels?: Record<string, string>;
  ExposedPorts?: Record<string, Record<string, never>>;
  Volumes?: Record<string, Record<string, never>>;
  StopSignal?: string;
  Shell?: string[];
  OnBuild?: string[];
}

/** Where the variables of an instruction come from. */
export interface Scope {
  /** The values of the ARGs before the first FROM. They are for FROM, and for an ARG in a stage that repeats the name. */
  globals: Record<string, string>;
  /** What the user gives with `--build-arg`. */
  given: Record<string, string>;
  /** The ARGs of the stage so far, in their order, a name as often as it was declared; the default is undefined in `ARG NAME`. */
  declared: [name: string, fallback: string | undefined][];
  /** The image's environment so far, as `NAME=value`. */
  env: string[];
}

/** A file, directory or link that an instruction copies, in the words of lstat(2). */
export interface SourceFile {
  /** Relative to what is copied, without a leading `/`; '' is the thing itself. */
  path: string;
  type: 'file' | 'directory' | 'symlink';
  /** Permission bits, 0…0o7777. */
  mode: number;
  /** Seconds since the epoch. */
  mtime: number;
  /** Of a file: the digest of its bytes, `sha256:` and 64 hexadecimal digits. */
  digest?: string;
  /** Of a link: where it points. */
  target?: string;
}

/** A directory with files of somebody else. Paths are relative to it, without a leading `/`; '' is the directory itself. */
export interface Tree {
  /** What is at `path`, on which no directory may be a link; a link itself, not what it points at. Undefined if there is nothing. */
  entry(path: string): { type: 'file' | 'directory' | 'symlink' | 'other'; target?: string } | undefined;
  /** The names in a directory, in any order. */
  names(path: string): string[];
}

/** The comments of labs/10-build/build.ts say in full what each of these owes. */
export interface BuildPlank {
  /** Replaces the variables in `word`, and takes its quotes and escapes away. @throws Error if it cannot be read. */
  expand(word: string, variables: Record<string, string>, escapeToken?: string): string;
  /** The variables that an instruction sees. */
  variables(scope: Scope): Record<string, string>;
  /**
   * The settings after `change`; those that were passed in stay as they are.
   * @param ownCommand whether this stage has had a CMD already, which an ENTRYPOINT then leaves.
   */
  configure(settings: Settings, change: Change, ownCommand: boolean): Settings;
  /**
   * The numbers of the stages that have to be built for `target`, each after all that it needs.
   * @param target a name or a number; the last stage if undefined. @throws Error if there is no such stage.
   */
  stageOrder(stages: StageOutline[], target?: string): number[];
  /** What `pattern` names in `tree`, sorted by `name`, with the path it leads to. @throws Error for a loop of links. */
  findSources(tree: Tree, pattern: string): { name: string; path: string }[];
  /** Whether the text of a `.dockerignore` leaves out a path. */
  ignoreFilter(rules: string): (path: string) => boolean;
  /** What a step's result is found by. @param parent the key of the step before, or the id of the base image. */
  cacheKey(parent: string, instruction: string, files: SourceFile[]): string;
}
