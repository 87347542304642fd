/** What a build decides: variables, settings, the order of stages, the files that are meant, and keys for the cache. */

import type { Change, Scope, Settings, SourceFile, StageOutline, Tree } from '#contract/build';
import { NotImplemented } from '#contract/not-implemented';

/**
 * Task 1. Replaces the variables in `word`, and takes its quotes and escapes away. The word is read once, from left to
 * right; the value of a variable is not read again.
 *
 * - `$NAME` and `${NAME}` become the value of NAME, or nothing if NAME is not set.
 * - `${NAME:-word}` becomes `word` if NAME is not set or empty, `${NAME-word}` only if NAME is not set; else the value.
 * - `${NAME:+word}` and `${NAME+word}` become `word` where the two above become the value; else nothing.
 * - The `word` in braces is expanded as if it stood alone, with quotes of its own. It must be readable even if it is not needed.
 * - A NAME is a letter (a–z, A–Z) or `_` and then letters, digits and `_`; or a number; or one of `@ * # ? $ ! -`. The shell
 *   calls the last two kinds parameters. A `$` before anything else, or at the end, is itself.
 * - Between single quotes every character is itself.
 * - Between double quotes variables are replaced. `escapeToken` makes `$`, `"` and itself plain and is taken away; before
 *   anything else it stays.
 * - Outside of quotes `escapeToken` makes any character plain and is taken away; at the end of the text it stays.
 * @throws Error for a quote or a `${` without its end, for `${` without a NAME, and for any other modifier, such as `^`. (The
 *   engine also knows `?`, `#`, `%` and `/`. The checks do not ask for them.)
 */
export function expand(_word: string, _variables: Record<string, string>, _escapeToken = '\\'): string {
  throw new NotImplemented('build', 1);
}

/**
 * Task 1. The variables that an instruction sees: the ARGs that its stage has declared so far, and the image's environment,
 * which wins over an ARG of the same name.
 *
 * Each ARG has the first of these values that exists: what the user gave for it, its default, the global of that name, what
 * an earlier declaration of the name came to. An ARG without any of them is not set, and is not in the answer. An empty
 * value is a value. A global, or a value that the user gave, is seen only if the stage declares its name.
 * An entry of the environment without `=` is a name with an empty value.
 */
export function variables(_scope: Scope): Record<string, string> {
  throw new NotImplemented('build', 1);
}

/**
 * Task 2. The settings after `change`. Those that were passed in stay as they are. OCI image-spec, config.md.
 *
 * - ENV, LABEL: pairs are set in their order. In `Env` a name that exists keeps its place; a new one is added at the end.
 * - WORKDIR: relative to the one before, or to `/`; without `.`, `..`, double slashes and a slash at the end.
 * - EXPOSE: `80` becomes `80/tcp`, `53/UDP` becomes `53/udp`. VOLUME: the paths as they are. Both add to what is there.
 * - CMD, ENTRYPOINT: a list as it is, also an empty one; a line for the shell is the words of `Shell`, or `/bin/sh -c`
 *   if it is not set, and then the line.
 * - ENTRYPOINT also removes `Cmd`, unless `ownCommand` says that the command is this stage's own: an inherited one was
 *   meant for another program.
 * - ONBUILD: one more at the end of `OnBuild`. USER, STOPSIGNAL, SHELL: the new value replaces the old one.
 *
 * Fields that the change does not name keep their values. The order of keys in an object does not matter.
 */
export function configure(_settings: Settings, _change: Change, _ownCommand: boolean): Settings {
  throw new NotImplemented('build', 2);
}

/**
 * Task 3. The numbers of the stages that have to be built for `target`, each once and after all that it needs.
 *
 * A stage needs what its `base` and its `uses` refer to, if that is an earlier stage. Everything else (its own name, a later
 * stage, an unknown name) is an image. A reference is a name, whatever its case; in `uses` and for `target` it may also be a
 * number from 0. A name wins over a number. Of two stages with one name the latest before the stage that refers
 * counts; for `target` the last one of all.
 * @param target a name or a number; the last stage if undefined.
 * @throws Error if there is no such stage, or no stage at all.
 */
export function stageOrder(_stages: StageOutline[], _target?: string): number[] {
  throw new NotImplemented('build', 3);
}

/**
 * Task 4. What `pattern` names in `tree`.
 *
 * First the pattern is cleaned as text: a part that is `.` goes, `..` goes together with the part before it and never climbs
 * out of the tree, slashes in front, at the end and double ones do not count. Then each part is matched with the names in
 * one directory: `*` fits any number of characters, also none; `?` fits one; `[a-z]` one of these and `[^a-z]` one of
 * the others; a `[` without its `]`, and any other character, fits itself. A dot at the beginning of a name is a character like any other.
 * Links are followed in every part, the last one too, as if the tree were `/`: an absolute target begins at the root of
 * the tree, and `..` at the root stays there. A match that leads to nothing is left out.
 * @returns for each match, sorted by `name` (by code units), the path that was matched, and the path that it leads to, on
 *   which there is no link. For the tree itself both are ''. An empty list if nothing matches.
 * @throws Error if more than 40 links are followed on the way to one match: it is a loop.
 */
export function findSources(_tree: Tree, _pattern: string): { name: string; path: string }[] {
  throw new NotImplemented('build', 4);
}

/**
 * Task 4. What the text of a `.dockerignore` leaves out of the context.
 *
 * Each line is a pattern. Lines that begin with `#` are comments; blanks (and a carriage return) around a pattern, empty
 * lines and a `!` alone do not count. A pattern is cleaned as a path is: `.` goes, `..` goes with the part before it,
 * double slashes become one, and a slash in front or at the end does not count. A pattern that is then empty, or still begins with
 * `..`, fits nothing.
 * `*`, `?` and `[a-z]` are as in `findSources`, and never fit a slash. A part that is `**` fits any number of directories, also
 * none; at the end it fits everything below, so `a/**` does not fit `a` itself. (`**` inside a longer part is not asked for.)
 * A pattern leaves out what it fits, with all that is in it; with `!` in front it takes that back. Of the patterns that fit,
 * the last one counts. Capitals count.
 * @returns whether a path (relative, without a leading `/`) is left out.
 */
export function ignoreFilter(_rules: string): (path: string) => boolean {
  throw new NotImplemented('build', 4);
}

/**
 * Task 5. What a step's result is found by: `sha256:` and the digest (64 lower-case hexadecimal digits) of the JSON text of
 * `[parent, instruction, files]`, without blanks. `files` has for each file, sorted by `path` (by code units),
 * `[path, type, mode, X]`, where X is its digest, or its target if it has no digest, or '' if it has neither.
 * @param parent the key of the step before, or the id of the base image.
 * @param instruction with its variables expanded.
 * @param files in any order, each path once. The list that was passed in stays as it is.
 */
export function cacheKey(_parent: string, _instruction: string, _files: SourceFile[]): string {
  throw new NotImplemented('build', 5);
}
