/** The plank of lab `build`: the decisions of a build. What they lead to, running and copying, is the engine's. */

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
  /** What the ARGs before the first FROM have come to. They are for FROM, and for an ARG in a stage that repeats the name. */
  globals: Record<string, string>;
  /** What the user gives with `--build-arg`. */
  given: Record<string, string>;
  /** The ARGs of the stage so far, in their order; the default is undefined in `ARG NAME`. */
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

/** A directory that somebody else has filled. Paths are relative to it, without a leading `/`; '' is the directory itself. */
export interface Tree {
  /** What is at `path`; a link itself and not what it points at. Undefined when nothing is. */
  entry(path: string): { type: 'file' | 'directory' | 'symlink' | 'other'; target?: string } | undefined;
  /** The names in a directory, in no particular order. */
  names(path: string): string[];
}

export interface BuildPlank {
  /**
   * `word` with its variables replaced and its quotes and escapes taken away. `$NAME`, `${NAME}`, `${NAME:-word}`,
   * `${NAME-word}`, `${NAME:+word}`, `${NAME+word}`; with the colon an empty value counts as none. `word` is expanded
   * too. What is not set is empty. Between single quotes everything is itself; between double quotes, and outside,
   * `escapeToken` makes `$`, `"` and itself plain. Outside of quotes it makes any character plain.
   * @throws Error for `${` without its end, and for another modifier.
   */
  expand(word: string, variables: Record<string, string>, escapeToken?: string): string;

  /**
   * The variables that an instruction sees: the ARGs that its stage has declared so far, and ENV, which counts more. An
   * ARG's value is what the user gave for it, else its default, else what the global of that name has, else what it
   * had before. One without any of these is not set. What no ARG of the stage names is not seen.
   */
  variables(scope: Scope): Record<string, string>;

  /**
   * Which stages have to be built for `target`, and an order in which each comes after all that it needs. A stage
   * refers to an earlier one by its name (whatever the case) or, in `uses`, by its number from 0; of two with the same name the later
   * one counts. What is no earlier stage is an image.
   * @param target a name or a number; the last stage when undefined.
   * @throws Error when there is no such stage.
   */
  stageOrder(stages: StageOutline[], target?: string): number[];

  /**
   * The settings after `change`; those that were passed in stay as they are.
   *
   * ENV and LABEL: a name that is there gets the new value in its old place. WORKDIR: relative to the one before, `/` if
   * there is none, and without `.`, `..` and double slashes. EXPOSE: `80` is `80/tcp`. CMD and ENTRYPOINT in the shell's form are
   * the shell (`SHELL`, else `/bin/sh -c`) and the line. ENTRYPOINT takes an inherited command away. ONBUILD adds one
   * more instruction to `OnBuild`.
   * @param ownCommand whether this stage has had a CMD already, which an ENTRYPOINT then leaves.
   */
  configure(settings: Settings, change: Change, ownCommand: boolean): Settings;

  /**
   * What a step's result is found by: the digest of the JSON text `[parent, instruction, files]`, where `files` has for
   * each file, sorted by `path` (by code units), `[path, type, mode, digest or target or '']`. Times are not in it: a fresh checkout has
   * new ones.
   * @param parent the key of the step before, or the id of the base image.
   * @param instruction with its variables expanded.
   */
  cacheKey(parent: string, instruction: string, files: SourceFile[]): string;

  /**
   * What `pattern` names in `tree`: `*`, `?` and `[a-z]` match within one name, in any part of the path.
   * Links are followed as if the tree were `/`, so neither they nor `..` lead out of it.
   * @returns for each match, sorted by `name`, the path that was matched (without `.` and `..`) and the one it leads to,
   *   on which there is no link; none when there is nothing.
   * @throws Error for a loop of links.
   */
  findSources(tree: Tree, pattern: string): { name: string; path: string }[];

  /**
   * What the text of a `.dockerignore` leaves out of the context. Each line is a pattern; blanks around it do not count, and
   * neither do empty lines, and those that begin with `#`. A pattern is relative to the context whether it begins with
   * a slash or not. `*`, `?` and `[a-z]` are as above, a part that is `**` stands for any number of directories. What a pattern names
   * is left out with all that is in it. With `!` in front it is taken back. Of the patterns that fit, the last one counts.
   * @returns whether a path (without a leading `/`) is left out.
   */
  ignoreFilter(rules: string): (path: string) => boolean;
}
