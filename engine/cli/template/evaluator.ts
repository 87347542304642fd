import { TemplateExecutionError } from './errors.ts';
import type { Functions } from './functions.ts';
import type { Call, Node, Operand, Pipeline, Place } from './nodes.ts';
import { type Fields, goString, isList, isMap, isTrue, resolve } from './values.ts';

export interface Evaluation {
  source: string;
  /** What messages call the template; docker's own is mostly empty. */
  name: string;
  functions: Functions;
}

type Flow = 'next' | 'break' | 'continue';
type Scope = { name: string; value: unknown }[];

/** The text that `nodes` make of `data`. @throws TemplateExecutionError */
export function evaluate(nodes: Node[], data: unknown, evaluation: Evaluation): string {
  const evaluator = new Evaluator(evaluation, data);
  evaluator.list(nodes, data);
  return evaluator.output;
}

class Evaluator {
  output = '';
  readonly #evaluation: Evaluation;
  #scope: Scope;

  constructor(evaluation: Evaluation, data: unknown) {
    this.#evaluation = evaluation;
    this.#scope = [{ name: '', value: data }];
  }

  list(nodes: Node[], dot: unknown): Flow {
    const depth = this.#scope.length;
    for (const node of nodes) {
      const flow = this.#node(node, dot);
      if (flow !== 'next') {
        this.#scope.length = depth;
        return flow;
      }
    }
    this.#scope.length = depth;
    return 'next';
  }

  #node(node: Node, dot: unknown): Flow {
    switch (node.kind) {
      case 'text':
        this.output += node.text;
        return 'next';
      case 'action': {
        const value = this.#pipeline(node.pipeline, dot);
        if (node.pipeline.variables.length === 0) this.output += goString(value);
        return 'next';
      }
      case 'break':
      case 'continue':
        return node.kind;
      default:
        return this.#block(node, dot);
    }
  }

  #block(node: Node & { kind: 'if' | 'with' | 'range' }, dot: unknown): Flow {
    const depth = this.#scope.length;
    const value = this.#pipeline(node.pipeline, dot);
    let flow: Flow = 'next';
    if (node.kind === 'range') flow = this.#range(node, value, dot);
    else if (isTrue(value)) flow = this.list(node.body, node.kind === 'with' ? value : dot);
    else flow = this.list(node.otherwise, dot);
    this.#scope.length = depth;
    return flow;
  }

  #range(node: Node & { kind: 'if' | 'with' | 'range' }, value: unknown, dot: unknown): Flow {
    const pairs = this.#elements(value, node.pipeline);
    if (pairs.length === 0) return this.list(node.otherwise, dot);
    const names = node.pipeline.variables;
    for (const [key, element] of pairs) {
      const depth = this.#scope.length;
      if (names.length === 1) this.#scope.push({ name: names[0] as string, value: element });
      if (names.length === 2) {
        this.#scope.push({ name: names[0] as string, value: key }, { name: names[1] as string, value: element });
      }
      const flow = this.list(node.body, element);
      this.#scope.length = depth;
      if (flow === 'break') break;
    }
    return 'next';
  }

  #elements(value: unknown, at: Pipeline): [unknown, unknown][] {
    if (isList(value)) return value.map((each, index) => [index, each]);
    if (isMap(value)) {
      return Object.keys(value)
        .sort()
        .map((key) => [key, resolve(value[key])]);
    }
    if (typeof value === 'number') return Array.from({ length: Math.max(0, value) }, (_, index) => [index, index]);
    if (value === undefined || value === null) return [];
    throw this.#error(at, `range can't iterate over ${goString(value)}`);
  }

  #pipeline(pipeline: Pipeline, dot: unknown): unknown {
    let value: unknown;
    for (const [stage, call] of pipeline.calls.entries()) {
      value = this.#call(call, dot, stage === 0 ? [] : [value]);
    }
    for (const name of pipeline.variables) this.#setVariable(name, value, pipeline.assign);
    return value;
  }

  #setVariable(name: string, value: unknown, assign: boolean): void {
    const existing = assign ? this.#scope.findLast((each) => each.name === name) : undefined;
    if (existing !== undefined) existing.value = value;
    else this.#scope.push({ name, value });
  }

  #call(call: Call, dot: unknown, last: unknown[]): unknown {
    const { operand } = call;
    if (operand.kind === 'nil') throw this.#error(call, 'nil is not a command');
    if (operand.kind === 'function') return this.#function(call, operand.name, dot, last);
    if (operand.kind === 'fields') return this.#fields(operand, dot, call, last);
    if (call.args.length > 0 || last.length > 0) throw this.#error(call, "can't give argument to non-function");
    return this.#operand(operand, dot);
  }

  #operand(operand: Operand, dot: unknown): unknown {
    switch (operand.kind) {
      case 'dot':
        return dot;
      case 'nil':
        return null;
      case 'literal':
        return operand.value;
      case 'variable':
        return this.#scope.findLast((each) => each.name === operand.name)?.value;
      case 'pipeline':
        return this.#pipeline(operand.pipeline, dot);
      case 'fields':
        return this.#fields(operand, dot);
      case 'function':
        return this.#function({ operand, args: [], start: operand.start, end: operand.end }, operand.name, dot, []);
    }
  }

  #function(call: Call, name: string, dot: unknown, last: unknown[]): unknown {
    if (name === 'and' || name === 'or') {
      let value: unknown;
      for (const arg of call.args) {
        value = this.#operand(arg, dot);
        if (isTrue(value) === (name === 'or')) return value;
      }
      return last.length > 0 ? last[0] : value;
    }
    const args = [...call.args.map((arg) => this.#operand(arg, dot)), ...last];
    const implementation = this.#evaluation.functions[name];
    if (implementation === undefined) throw this.#error(call, `function "${name}" not defined`);
    try {
      return implementation(...args);
    } catch (error) {
      throw this.#error(call, `error calling ${name}: ${error instanceof Error ? error.message : error}`);
    }
  }

  #fields(operand: Operand & { kind: 'fields' }, dot: unknown, call?: Call, last: unknown[] = []): unknown {
    let value = this.#operand(operand.of, dot);
    for (const [at, name] of operand.names.entries()) {
      const final = at === operand.names.length - 1;
      const args = final && call !== undefined ? [...call.args.map((arg) => this.#operand(arg, dot)), ...last] : [];
      value = this.#field(value, name, args, operand);
    }
    return value;
  }

  #field(of: unknown, name: string, args: unknown[], at: Operand): unknown {
    if (of === undefined || of === null) throw this.#error(at, `nil pointer evaluating interface {}.${name}`);
    if (!isMap(of)) throw this.#error(at, `can't evaluate field ${name} in type interface {}`);
    if (!Object.hasOwn(of, name)) throw this.#error(at, `map has no entry for key "${name}"`);
    const value = (of as Fields)[name];
    if (typeof value === 'function') return value(...args);
    if (args.length > 0) throw this.#error(at, `${name} is not a method but has arguments`);
    return value;
  }

  #error(at: Place, reason: string): TemplateExecutionError {
    const { source, name } = this.#evaluation;
    const before = source.slice(0, at.mark ?? at.start).split('\n');
    const place = `${before.length}:${Buffer.byteLength(before.at(-1) ?? '')}`;
    const text = source.slice(at.start, at.end);
    const short = text.length > 20 ? `${text.slice(0, 20)}...` : text;
    return new TemplateExecutionError(
      `template: ${name}:${place}: executing ${JSON.stringify(name)} at <${short}>: ${reason}`,
    );
  }
}
