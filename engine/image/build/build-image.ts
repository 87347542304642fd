/** A build as a whole: which stages, all that can at the same time, and in the end an image with its names. */

import { expand, stageOrder } from '#build';
import { hostPlatform, type Platform } from '../commit.ts';
import { InvalidImage } from '../image-errors.ts';
import type { ImageRecord } from '../images.ts';
import { indexOf } from './build.ts';
import { atLine, InvalidBuild } from './build-error.ts';
import { type Instruction, parseDockerfile, parseInstruction } from './dockerfile.ts';
import type { Builder, BuildOptions } from './options.ts';
import { Output } from './output.ts';
import type { StageContext } from './plan.ts';
import { StackTree } from './stack-tree.ts';
import { StageBuild } from './stage-build.ts';
import { type Stage, stagesOf } from './stages.ts';
import { idOf, type State, stateOf, writeImage } from './state.ts';
import { Arguments, PROXIES, platformArguments } from './variables.ts';

const SOURCE_DATE = 'SOURCE_DATE_EPOCH';
const SCRATCH = 'scratch';

/**
 * Build the image that `options` describe. Hold the images meanwhile: layers of it belong to no image until the end.
 * @throws BuildError, InvalidBuild, InvalidReference, DiskFull, or the reason of an abort
 */
export async function buildImage(builder: Builder, options: BuildOptions): Promise<ImageRecord> {
  const text = options.dockerfileText ?? builder.context.text(options.dockerfile);
  if (text === undefined)
    throw new InvalidBuild(
      `Cannot locate specified Dockerfile: ${options.dockerfile} is not in the build context; name it with -f`,
    );
  const dockerfile = parseDockerfile(text, options.dockerfile);
  const target = options.platform ?? hostPlatform();
  const { stages, globals } = stagesOf(dockerfile, options.buildArgs, platformArguments(hostPlatform(), target));
  const order = stageOrder(stages, options.target).sort((a, b) => a - b);
  const last = stages[targetOf(stages, options.target)]!;
  last.instructions = [...last.instructions, ...labelInstructions(options.labels, dockerfile.escapeToken)];
  const build = new Build(builder, options, { dockerfile, stages, globals, order });
  const state = await build.stage(last.index);
  const unused = unusedArguments(options.buildArgs, globals, stages);
  if (unused.length > 0) builder.onOutput(`[Warning] One or more build-args [${unused.join(' ')}] were not consumed\n`);
  return await named(builder, state, options.tags);
}

/** Those that no ARG names. Proxies and the date are taken without one. */
function unusedArguments(given: Record<string, string>, globals: Record<string, string>, stages: Stage[]): string[] {
  const declared = new Set([...Object.keys(globals), ...PROXIES, SOURCE_DATE]);
  for (const { instructions } of stages)
    for (const { keyword, text } of instructions)
      if (keyword === 'ARG') for (const word of text.split(/\s+/)) declared.add(word.split('=', 1)[0]!);
  return Object.keys(given)
    .filter((name) => !declared.has(name))
    .sort();
}

function targetOf(stages: Stage[], target: string | undefined): number {
  return target === undefined ? stages.length - 1 : (indexOf(stages, stages.length, target, true) ?? stages.length - 1);
}

/** As the classic builder has it, --label is one more instruction at the end. */
function labelInstructions(labels: Record<string, string>, escapeToken: string): Instruction[] {
  const quote = (text: string) => `'${text.replaceAll("'", `'"'"'`)}'`;
  const pairs = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  if (pairs.length === 0) return [];
  const text = pairs.map(([name, value]) => `${quote(name)}=${quote(value)}`).join(' ');
  const instruction = parseInstruction('LABEL x=y', '--label', escapeToken);
  return [{ ...instruction, line: 0, text, statement: `LABEL ${text}` }];
}

async function named({ images, onOutput, onImage }: Builder, state: State, tags: string[]): Promise<ImageRecord> {
  const [first, ...others] = tags;
  const image = await writeImage(images, state, first);
  onImage?.(image.id);
  for (const tag of others) await images.tag(image.id, tag);
  onOutput(`Successfully built ${image.id.slice('sha256:'.length, 'sha256:'.length + 12)}\n`);
  const record = await images.find(image.id);
  for (const tag of tags)
    onOutput(
      `Successfully tagged ${record.repoTags.find((name) => name === tag || name === `${tag}:latest`) ?? tag}\n`,
    );
  return record;
}

interface Parts {
  dockerfile: { name: string; escapeToken: string };
  stages: Stage[];
  globals: Record<string, string>;
  /** The stages that are needed, as they stand in the Dockerfile. */
  order: number[];
}

class Build {
  readonly #builder: Builder;
  readonly #options: BuildOptions;
  readonly #parts: Parts;
  readonly #output: Output;
  readonly #running = new Map<number, Promise<State>>();
  readonly #sourceDate: number | undefined;

  constructor(builder: Builder, options: BuildOptions, parts: Parts) {
    this.#builder = builder;
    this.#options = options;
    this.#parts = parts;
    this.#output = new Output(parts.order.length, builder.onOutput);
    this.#sourceDate = sourceDateOf(options.buildArgs[SOURCE_DATE]);
    for (const index of parts.order) this.stage(index).catch(() => {});
  }

  /** Runs once, no matter who asks for it. */
  stage(index: number): Promise<State> {
    let running = this.#running.get(index);
    if (!running) {
      running = this.#build(this.#parts.stages[index]!);
      this.#running.set(index, running);
    }
    return running;
  }

  async #build(stage: Stage): Promise<State> {
    const { order, stages, dockerfile, globals } = this.#parts;
    const voice = order.indexOf(stage.index);
    const say = (text: string) => this.#output.say(voice, text);
    const steps = order.map((index) => stages[index]!.instructions.length + 1);
    const total = steps.reduce((sum, count) => sum + count, 0);
    let step = steps.slice(0, voice).reduce((sum, count) => sum + count, 0);
    const nextStep = () => `Step ${++step}/${total}`;
    const context: StageContext = {
      builder: this.#builder,
      options: this.#options,
      dockerfile,
      args: new Arguments(this.#options.buildArgs, globals),
      sourceDate: this.#sourceDate,
      treeOf: (reference) => this.#treeOf(reference, stage.index),
      say,
      nextStep,
    };
    try {
      say(`${nextStep()} : ${stage.from.statement}\n`);
      const begun = await this.#begin(stage).catch((error) => {
        throw atLine(dockerfile.name, stage.from.line, stage.from.statement, error);
      });
      const build = new StageBuild(begun.state, context);
      say(begun.said);
      if (!begun.isStage || begun.state.execution.OnBuild !== undefined) await build.runTriggers();
      await build.runAll(stage.instructions);
      return build.state;
    } finally {
      this.#output.end(voice);
    }
  }

  async #begin(stage: Stage): Promise<{ state: State; said: string; isStage: boolean }> {
    const platform = stage.platform === '' ? this.#options.platform : parsePlatform(stage.platform);
    const earlier = indexOf(this.#parts.stages, stage.index, stage.base, false);
    if (earlier !== undefined) {
      const state = await this.stage(earlier);
      return { state: { ...state, ownCommand: false }, said: ` ---> ${short(idOf(state))}\n`, isStage: true };
    }
    if (stage.base === SCRATCH)
      return { state: this.#dated(stateOf(undefined, platform)), said: ' --->\n', isStage: false };
    const image = await this.#builder.findImage(stage.base, platform);
    if (platform) requirePlatform(image, platform, stage.base);
    return { state: this.#dated(stateOf(image, platform)), said: ` ---> ${short(image.id)}\n`, isStage: false };
  }

  /** What is built for a time is not what is built for another. */
  #dated(state: State): State {
    return this.#sourceDate === undefined ? state : { ...state, key: `${state.key} at ${this.#sourceDate}` };
  }

  async #treeOf(reference: string, from: number): Promise<StackTree> {
    const { images } = this.#builder;
    const earlier = indexOf(this.#parts.stages, from, expand(reference, {}), true);
    if (earlier !== undefined) return new StackTree(await images.prepareLayers((await this.stage(earlier)).layers));
    const name = reference.toLowerCase();
    if (this.#parts.stages.some((stage) => stage.index >= from && stage.name === name))
      throw new InvalidBuild(`"${reference}" is a stage that comes later; move it in front of this one`);
    return new StackTree(await images.prepare(await this.#builder.findImage(reference)));
  }
}

function short(id: string): string {
  return id.replace('sha256:', '').slice(0, 12);
}

/** @throws InvalidBuild */
export function parsePlatform(text: string): Platform {
  const [os = '', architecture = '', variant] = text.toLowerCase().split('/');
  if (!/^[a-z0-9_]+$/.test(os) || !/^[a-z0-9_]*$/.test(architecture) || !/^[a-z0-9_]*$/.test(variant ?? ''))
    throw new InvalidBuild(`failed to parse platform ${text.slice(0, 60)}: write os/arch, e.g. linux/amd64`);
  const arch = { x86_64: 'amd64', aarch64: 'arm64' }[architecture] ?? architecture;
  return { os, architecture: arch === '' ? hostPlatform().architecture : arch, ...(variant && { variant }) };
}

/** Whether the image can stand in for one of that platform. */
export function isForPlatform({ config }: ImageRecord, { os, architecture, variant }: Platform): boolean {
  return (
    config.os === os &&
    config.architecture === architecture &&
    (!variant || !config.variant || config.variant === variant)
  );
}

function requirePlatform(image: ImageRecord, platform: Platform, name: string): void {
  const { os, architecture } = image.config;
  if (!isForPlatform(image, platform))
    throw new InvalidImage(
      `image ${name} is for ${os}/${architecture}, not for ${platform.os}/${platform.architecture}; leave the platform out or load another image`,
    );
}

/** https://reproducible-builds.org/specs/source-date-epoch/ */
function sourceDateOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,11}$/.test(text))
    throw new InvalidBuild(`${SOURCE_DATE}=${text.slice(0, 40)} is not a number of seconds since 1970`);
  return Number(text) * 1000;
}
