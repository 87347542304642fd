/** One stage, from its FROM to its end, step by step. */

import { cacheKey, configure, expand } from '#build';
import type { Change } from '#contract/build';
import { packArchive } from '../archive.ts';
import { shortId } from '../digest.ts';
import type { History } from '../documents.ts';
import { atLine, InvalidBuild } from './build-error.ts';
import type { StepResult } from './cache.ts';
import { changeOf, healthcheckOf } from './config-step.ts';
import { directoryEntries, resolveDestination } from './destination.ts';
import { type Instruction, parseInstruction } from './dockerfile.ts';
import type { Plan, Planning, StageContext } from './plan.ts';
import { planCopy } from './plan-copy.ts';
import { planRun } from './plan-run.ts';
import { StackTree } from './stack-tree.ts';
import { argumentsIn } from './stages.ts';
import { idOf, type State } from './state.ts';

const WITH_FLAGS = ['ADD', 'COPY', 'RUN', 'HEALTHCHECK'];
const NO_TRIGGERS = ['ONBUILD', 'FROM', 'MAINTAINER'];

export class StageBuild {
  state: State;
  readonly #context: StageContext;

  constructor(state: State, context: StageContext) {
    this.state = state;
    this.#context = context;
  }

  /** The instructions that an image has kept for those that build on it. Dockerfile reference, "ONBUILD". */
  async runTriggers(): Promise<void> {
    const { OnBuild: triggers = [], ...execution } = this.state.execution;
    this.state = { ...this.state, execution };
    if (triggers.length === 0) return;
    this.#context.say(`# Executing ${triggers.length} build trigger${triggers.length > 1 ? 's' : ''}\n`);
    for (const text of triggers) {
      const instruction = parseInstruction(text, 'ONBUILD', this.#context.dockerfile.escapeToken);
      await this.#run(instruction, () => {
        refuseTrigger(instruction.keyword);
        return this.#step(instruction);
      });
    }
  }

  async runAll(instructions: Instruction[]): Promise<void> {
    for (const instruction of instructions) {
      this.#context.say(`${this.#context.nextStep()} : ${instruction.statement}\n`);
      await this.#run(instruction, () => this.#step(instruction));
    }
  }

  async #run(instruction: Instruction, task: () => Promise<void>): Promise<void> {
    const { signal } = this.#context.builder;
    try {
      signal.throwIfAborted();
      await task();
    } catch (error) {
      signal.throwIfAborted();
      throw atLine(this.#context.dockerfile.name, instruction.line, instruction.statement, error);
    }
  }

  async #step(instruction: Instruction): Promise<void> {
    const { builder, options, say, sourceDate } = this.#context;
    // One second after the step before, so that for make(1) too one is newer than the other.
    const time = sourceDate ?? this.state.time + 1000;
    const plan = await this.#plan(instruction);
    const key = cacheKey(this.state.key, plan.identity, plan.files);
    const found = options.noCache ? undefined : builder.cache.get(key);
    if (found) say(' ---> Using cache\n');
    const result = found ?? (await this.#do(plan, new Date(time)));
    if (!found) builder.cache.put(key, result);
    this.state = {
      ...this.#after(plan, result),
      key,
      time,
      ownCommand: this.state.ownCommand || instruction.keyword === 'CMD',
    };
    say(` ---> ${shortId(idOf(this.state))}\n`);
  }

  async #do({ layer }: Plan, time: Date): Promise<StepResult> {
    const { sourceDate, builder } = this.#context;
    const made = await layer?.(time);
    try {
      const isEmpty = made === undefined || made.entries.length === 0;
      const stored = isEmpty ? undefined : await builder.images.receiveLayer(packArchive(made.entries));
      const created = new Date(sourceDate ?? Date.now()).toISOString();
      return { created, ...(stored && { layer: stored }) };
    } finally {
      made?.dispose?.();
    }
  }

  #after({ createdBy, execution, author }: Plan, { created, layer }: StepResult): State {
    const { layers, history } = this.state;
    const line: History = { created, created_by: createdBy, ...(!layer && { empty_layer: true }) };
    return {
      ...this.state,
      created,
      execution,
      ...(author !== undefined && { author }),
      layers: layer ? [...layers, { descriptor: layer.descriptor, diffId: layer.diffId }] : layers,
      history: [...history, line],
    };
  }

  async #plan(instruction: Instruction): Promise<Plan> {
    const { args, dockerfile } = this.#context;
    const { keyword, text, flags, statement, heredocs } = instruction;
    const { execution } = this.state;
    if (flags.length > 0 && !WITH_FLAGS.includes(keyword))
      throw new InvalidBuild(`unknown flag: --${flags[0]![0]}; ${keyword} has none`);
    const planning: Planning = { context: this.#context, state: this.state, expand: (word) => this.#expand(word) };
    const plain: Plan = { identity: JSON.stringify([keyword, text]), createdBy: statement, files: [], execution };
    switch (keyword) {
      case 'COPY':
      case 'ADD':
        return await planCopy(instruction, planning);
      case 'RUN':
        return await planRun(instruction, planning);
      case 'WORKDIR':
        return await this.#planDirectory(await this.#planChange(instruction, plain));
      case 'ARG':
        for (const [name, fallback] of argumentsIn(instruction, dockerfile.escapeToken))
          args.declare(name, fallback === undefined ? undefined : this.#expand(fallback));
        return plain;
      case 'MAINTAINER':
        return { ...plain, author: text };
      case 'HEALTHCHECK': {
        const Healthcheck = healthcheckOf(instruction);
        return { ...plain, identity: JSON.stringify([keyword, Healthcheck]), execution: { ...execution, Healthcheck } };
      }
      case 'ONBUILD': {
        refuseTrigger(/^\S*/.exec(text)?.[0].toUpperCase() ?? '');
        const trigger = `${text}${heredocs.map(({ name, content }) => `\n${content}${name}`).join('')}`;
        const change: Change = { keyword: 'ONBUILD', value: trigger };
        return { ...plain, identity: JSON.stringify([keyword, trigger]), execution: this.#configured(change) };
      }
      default:
        return this.#planChange(instruction, plain);
    }
  }

  #planChange(instruction: Instruction, plain: Plan): Plan {
    const change = changeOf(instruction, this.#context.dockerfile.escapeToken, (word) => this.#expand(word));
    if (!change) throw new InvalidBuild(`${instruction.keyword} cannot stand here`);
    return { ...plain, identity: JSON.stringify(change), execution: this.#configured(change) };
  }

  #configured(change: Change): State['execution'] {
    return configure(this.state.execution, change, this.state.ownCommand) as State['execution'];
  }

  /** The working directory is made when the image has none of that name. */
  async #planDirectory(plan: Plan): Promise<Plan> {
    const path = plan.execution.WorkingDir ?? '/';
    const image = new StackTree(await this.#context.builder.images.prepareLayers(this.state.layers));
    if (image.entry(resolveDestination(image, path))?.type === 'directory') return plan;
    return { ...plan, layer: async (time) => ({ entries: await directoryEntries(image, path, time) }) };
  }

  #expand(word: string): string {
    const { args, dockerfile } = this.#context;
    return expand(word, args.variables(this.state.execution.Env ?? []), dockerfile.escapeToken);
  }
}

function refuseTrigger(keyword: string): void {
  if (NO_TRIGGERS.includes(keyword)) throw new InvalidBuild(`${keyword} isn't allowed as an ONBUILD trigger`);
}
