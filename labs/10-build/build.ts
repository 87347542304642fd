/** What a build decides: variables, settings, the order of stages, the files that are meant, and keys for the cache. */

import type { Change, Scope, Settings, SourceFile, StageOutline, Tree } from '#contract/build';
import { NotImplemented } from '#contract/not-implemented';

/**
 * Task 1. `word` with its variables replaced and its quotes and escapes taken away.
 *
 * `$NAME` and `${NAME}`; `${NAME:-word}` gives `word` when NAME is not set or empty, `${NAME-word}` when it is not set;
 * `${NAME:+word}` and `${NAME+word}` give `word` exactly when the others give the value, and else nothing. `word` is
 * expanded too. What is not set is empty. A name is letters, digits and `_`, and does not begin with a digit; a `$` before
 * anything else is itself.
 * Between single quotes everything is itself. Between double quotes `escapeToken` makes `$`, `"` and itself plain, and stays
 * where it stands before anything else. Outside of quotes it makes any character plain.
 * @throws Error for `${` without a name or without its end, for a quote without its end, and for a modifier like `^`.
 */
export function expand(_word: string, _variables: Record<string, string>, _escapeToken = '\\'): string {
  throw new NotImplemented('build', 1);
}

/**
 * Task 1. The variables that an instruction sees: the ARGs that its stage has declared so far, and ENV, which counts more.
 *
 * An ARG's value is what the user gave for it, else its default, else what the global of that name has, else what it had
 * before. One without any of these is not set. What no ARG of the stage names is not seen.
 */
export function variables(_scope: Scope): Record<string, string> {
  throw new NotImplemented('build', 1);
}

/**
 * Task 2. The settings after `change`; those that were passed in stay as they are. OCI image-spec, config.md.
 *
 * ENV and LABEL: a name that is there gets the new value in its old place.
 * WORKDIR: relative to the one before, or to `/`; without `.`, `..` and double slashes.
 * EXPOSE: `80` is `80/tcp`. VOLUME: sets like EXPOSE, of the paths as they are.
 * CMD, ENTRYPOINT: a list as it is; a line for the shell is the words of `Shell`, else `/bin/sh -c`, and then the line.
 * ENTRYPOINT also takes the command away, unless `ownCommand` says that it is of this stage: one that is inherited was meant
 * for another program.
 * ONBUILD: one more at the end of `OnBuild`. USER, STOPSIGNAL and SHELL take the place of what was there.
 */
export function configure(_settings: Settings, _change: Change, _ownCommand: boolean): Settings {
  throw new NotImplemented('build', 2);
}

/**
 * Task 3. Which stages have to be built for `target`, and an order in which each comes after all that it needs.
 *
 * A stage refers to an earlier one by its name, whatever the case, and in `uses` also by its number from 0. Of two with
 * the same name the later one counts, as long as it is earlier than the one that refers. What is no earlier stage is an image.
 * @param target a name or a number; the last stage when undefined.
 * @throws Error when there is no such stage.
 */
export function stageOrder(_stages: StageOutline[], _target?: string): number[] {
  throw new NotImplemented('build', 3);
}

/**
 * Task 4. What `pattern` names in `tree`.
 *
 * Part by part: `*`, `?` and `[a-z]` (or `[^a-z]`) match within one name. Links are followed as if the tree were `/`: an
 * absolute target begins at the root of the tree, and `..` at the root stays there. After 40 links it is a loop.
 * @returns for each match, sorted by `name` (by code units), the path that was matched, without `.` and `..`, and the one it
 *   leads to, on which there is no link; none when there is nothing.
 * @throws Error for a loop of links.
 */
export function findSources(_tree: Tree, _pattern: string): { name: string; path: string }[] {
  throw new NotImplemented('build', 4);
}

/**
 * Task 4. What the text of a `.dockerignore` leaves out of the context.
 *
 * Each line is a pattern; blanks around it do not count, and neither do empty lines, and those that begin with `#`. A pattern is
 * relative to the context whether it begins with a slash or not, and may end with one. `*`, `?` and `[a-z]` are as above, a
 * part that is `**` stands for any number of directories, also none. What a pattern names is left out with all that is in
 * it. With `!` in front it is taken back. Of the patterns that fit, the last one counts.
 * @returns whether a path (without a leading `/`) is left out.
 */
export function ignoreFilter(_rules: string): (path: string) => boolean {
  throw new NotImplemented('build', 4);
}

/**
 * Task 5. What a step's result is found by: `sha256:` and the digest of the JSON text of `[parent, instruction, files]`.
 * `files` has for each file, sorted by `path` (by code units), `[path, type, mode, digest or target or '']`.
 * @param parent the key of the step before, or the id of the base image.
 * @param instruction with its variables expanded.
 */
export function cacheKey(_parent: string, _instruction: string, _files: SourceFile[]): string {
  throw new NotImplemented('build', 5);
}
