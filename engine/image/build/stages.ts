/** A Dockerfile's instructions as stages. Dockerfile reference, "FROM", "Multi-stage builds". */

import { expand } from '#build';
import type { StageOutline } from '#contract/build';
import { atLine, InvalidBuild } from './build-error.ts';
import type { Dockerfile, Instruction } from './dockerfile.ts';
import { pairsOf, splitWords } from './words.ts';

export interface Stage extends StageOutline {
  index: number;
  from: Instruction;
  /** `os/arch[/variant]`; empty when FROM does not say. */
  platform: string;
  /** Those after FROM. */
  instructions: Instruction[];
}

export interface Stages {
  stages: Stage[];
  /** What ARG in front of the first FROM gives: for the FROM lines, and for an ARG of a stage that repeats the name. */
  globals: Record<string, string>;
}

const NAME = /^[a-z][a-z0-9-_.]*$/;

/**
 * @param buildArgs what the user gives with --build-arg
 * @param predefined what the engine gives, e.g. TARGETARCH
 * @throws BuildError
 */
export function stagesOf(
  dockerfile: Dockerfile,
  buildArgs: Record<string, string>,
  predefined: Record<string, string>,
): Stages {
  const globals: Record<string, string> = { ...predefined };
  const stages: Stage[] = [];
  for (const instruction of dockerfile.instructions) {
    try {
      const stage = stages.at(-1);
      if (instruction.keyword === 'FROM') stages.push(newStage(instruction, stages, dockerfile.escapeToken, globals));
      else if (stage) {
        stage.instructions.push(instruction);
        stage.uses.push(...usesOf(instruction));
      } else if (instruction.keyword === 'ARG') {
        for (const [name, fallback] of argumentsIn(instruction, dockerfile.escapeToken)) {
          const value = Object.hasOwn(buildArgs, name)
            ? buildArgs[name]
            : fallback && expand(fallback, globals, dockerfile.escapeToken);
          if (value !== undefined) globals[name] = value;
        }
      } else throw new InvalidBuild('no build stage in current context: only ARG may stand before the first FROM');
    } catch (error) {
      throw atLine(dockerfile.name, instruction.line, instruction.statement, error);
    }
  }
  if (stages.length === 0)
    throw new InvalidBuild(`${dockerfile.name} has no FROM: begin it with the image to build on, or FROM scratch`);
  return { stages, globals };
}

/** `NAME` or `NAME=default`, any number of them. */
export function argumentsIn(
  { text }: Instruction,
  escapeToken: string,
): [name: string, fallback: string | undefined][] {
  const words = splitWords(text, escapeToken);
  if (words.length === 0) throw new InvalidBuild('ARG requires at least one argument');
  return words.map((word) => (word.includes('=') ? pairsOf('ARG', word, escapeToken)[0]! : [word, undefined]));
}

function newStage(from: Instruction, before: Stage[], escapeToken: string, globals: Record<string, string>): Stage {
  const words = splitWords(from.text, escapeToken);
  if (words.length !== 1 && !(words.length === 3 && words[1]!.toLowerCase() === 'as'))
    throw new InvalidBuild('FROM requires either one or three arguments: FROM image, or FROM image AS name');
  const base = expand(words[0]!, globals, escapeToken);
  if (base === '')
    throw new InvalidBuild(
      `base name (${words[0]}) should not be blank: give the ARG it is made of a default, or --build-arg`,
    );
  const name = words[2]?.toLowerCase();
  if (name !== undefined && !NAME.test(name))
    throw new InvalidBuild(
      `invalid name for build stage: "${words[2]}", name can't start with a number or contain symbols`,
    );
  const unknown = from.flags.find(([flag]) => flag !== 'platform');
  if (unknown) throw new InvalidBuild(`unknown flag: --${unknown[0]}. FROM has --platform`);
  const platform = from.flags[0]?.[1] ?? '';
  return {
    index: before.length,
    from,
    ...(name !== undefined && { name }),
    base,
    platform: expand(platform, globals, escapeToken),
    uses: [],
    instructions: [],
  };
}

/** What COPY --from and RUN --mount=…,from= name. */
function usesOf({ keyword, flags }: Instruction): string[] {
  if (keyword === 'ONBUILD') return [];
  return flags.flatMap(([name, value = '']) => {
    if (name === 'from') return [value];
    if (keyword !== 'RUN' || name !== 'mount') return [];
    return value.split(',').flatMap((part) => (part.startsWith('from=') ? [part.slice(5)] : []));
  });
}
