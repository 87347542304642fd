import { TemplateSyntaxError } from './errors.ts';
import { lineAt, type Segment, segments, type Token } from './lexer.ts';
import type { Call, Node, Operand, Pipeline } from './nodes.ts';

/** How the tokens of one action are read, one after the other. */
class TokenReader {
  readonly #tokens: Token[];
  readonly #source: string;
  readonly start: number;
  readonly end: number;
  #at = 0;

  constructor(segment: { tokens: Token[]; start: number; end: number }, source: string) {
    this.#tokens = segment.tokens;
    this.#source = source;
    this.start = segment.start;
    this.end = segment.end;
  }

  peek(offset = 0): Token | undefined {
    return this.#tokens[this.#at + offset];
  }

  next(): Token | undefined {
    const token = this.peek();
    this.#at += 1;
    return token;
  }

  accept(value: string): boolean {
    const token = this.peek();
    const matches = (token?.kind === 'symbol' || token?.kind === 'word') && token.value === value;
    if (matches) this.#at += 1;
    return matches;
  }

  fail(reason: string): never {
    throw new TemplateSyntaxError(lineAt(this.#source, this.peek()?.start ?? this.end), reason);
  }
}

/**
 * The nodes of a template. Go, text/template, "Actions". `define`, `template` and `block` are not among them: a
 * `--format` is one template.
 * @param functions the names that may be called.
 * @throws TemplateSyntaxError
 */
export function parse(source: string, functions: ReadonlySet<string>): Node[] {
  const parser = new Parser(source, functions);
  const { nodes, ended } = parser.list(0);
  if (ended !== undefined) throw new TemplateSyntaxError(lineAt(source, source.length), `unexpected {{${ended}}}`);
  return nodes;
}

class Parser {
  readonly #source: string;
  readonly #segments: Segment[];
  readonly #functions: ReadonlySet<string>;
  #variables = ['']; // `$` itself
  #at = 0;
  #rangeDepth = 0;

  constructor(source: string, functions: ReadonlySet<string>) {
    this.#source = source;
    this.#segments = segments(source);
    this.#functions = functions;
  }

  /** Nodes up to an `end` or `else`, which is `ended`; undefined at the end of the template. `rest` follows an else. */
  list(depth: number): { nodes: Node[]; ended?: 'end' | 'else'; rest?: TokenReader } {
    const nodes: Node[] = [];
    while (this.#at < this.#segments.length) {
      const segment = this.#segments[this.#at] as Segment;
      this.#at += 1;
      if ('text' in segment) {
        nodes.push({ kind: 'text', text: segment.text });
        continue;
      }
      const reader = new TokenReader(segment, this.#source);
      const keyword = reader.peek()?.kind === 'word' ? reader.peek()?.value : undefined;
      if (keyword === 'end' || keyword === 'else') {
        reader.next();
        if (depth === 0) reader.fail(`unexpected {{${keyword}}}`);
        if (keyword === 'end' && reader.peek() !== undefined) reader.fail('unexpected token in end');
        return { nodes, ended: keyword, rest: reader };
      }
      nodes.push(this.#action(reader, keyword, depth));
    }
    if (depth > 0) throw new TemplateSyntaxError(lineAt(this.#source, this.#source.length), 'unexpected EOF');
    return { nodes };
  }

  #action(reader: TokenReader, keyword: string | undefined, depth: number): Node {
    if (keyword === 'if' || keyword === 'with' || keyword === 'range') {
      reader.next();
      return this.#control(keyword, reader, depth);
    }
    if (keyword === 'break' || keyword === 'continue') {
      if (this.#rangeDepth === 0) reader.fail(`{{${keyword}}} outside {{range}}`);
      return { kind: keyword };
    }
    return { kind: 'action', pipeline: this.#pipeline(reader, 'command') };
  }

  #control(kind: 'if' | 'with' | 'range', reader: TokenReader, depth: number): Node {
    const scope = this.#variables.length;
    const pipeline = this.#pipeline(reader, kind);
    if (kind === 'range') this.#rangeDepth += 1;
    const first = this.list(depth + 1);
    if (kind === 'range') this.#rangeDepth -= 1;
    let otherwise: Node[] = [];
    if (first.ended === 'else') {
      const rest = first.rest as TokenReader;
      const chained = rest.peek()?.value;
      if (rest.peek() !== undefined && (chained === 'if' || chained === 'with') && kind !== 'range') {
        rest.next();
        otherwise = [this.#control(chained, rest, depth)];
      } else if (rest.peek() !== undefined) {
        rest.fail('unexpected token in else');
      } else {
        const second = this.list(depth + 1);
        if (second.ended === 'else') rest.fail('expected end; found {{else}}');
        otherwise = second.nodes;
      }
    }
    this.#variables.length = scope;
    return { kind, pipeline, body: first.nodes, otherwise };
  }

  #pipeline(reader: TokenReader, context: string, closing?: ')'): Pipeline {
    const start = reader.peek()?.start ?? reader.start;
    const { variables, assign } = this.#declaration(reader);
    const calls: Call[] = [];
    do {
      if (reader.peek() === undefined || reader.peek()?.value === ')') reader.fail(`missing value for ${context}`);
      calls.push(this.#call(reader));
    } while (reader.accept('|'));
    const end = calls.at(-1)?.end ?? start;
    if (closing !== undefined && !reader.accept(closing)) reader.fail('unclosed left paren');
    if (closing === undefined && reader.peek() !== undefined) {
      reader.fail(`unexpected ${JSON.stringify(reader.peek()?.value)} in ${context}`);
    }
    for (const later of calls.slice(1)) {
      if (later.operand.kind === 'literal' || later.operand.kind === 'nil' || later.operand.kind === 'dot') {
        reader.fail(`non executable command in pipeline stage ${calls.indexOf(later) + 1}`);
      }
    }
    if (!assign) this.#variables.push(...variables);
    return { variables, assign, calls, start, end };
  }

  #declaration(reader: TokenReader): { variables: string[]; assign: boolean } {
    const first = reader.peek();
    if (first?.kind !== 'variable') return { variables: [], assign: false };
    const second = reader.peek(2);
    const pair = reader.peek(1)?.value === ',' && second?.kind === 'variable';
    const operator = reader.peek(pair ? 3 : 1);
    if (operator?.kind !== 'symbol' || (operator.value !== ':=' && operator.value !== '=')) {
      return { variables: [], assign: false };
    }
    for (let skip = 0; skip < (pair ? 4 : 2); skip += 1) reader.next();
    const variables = pair && second !== undefined ? [first.value, second.value] : [first.value];
    return { variables, assign: operator.value === '=' };
  }

  #call(reader: TokenReader): Call {
    const operand = this.#operand(reader);
    const args: Operand[] = [];
    for (let token = reader.peek(); token !== undefined; token = reader.peek()) {
      if (token.kind === 'symbol' && token.value !== '.' && token.value !== '(') break;
      args.push(this.#operand(reader));
    }
    const isData = operand.kind === 'literal' || operand.kind === 'nil' || operand.kind === 'dot';
    if (isData && args.length > 0) reader.fail("can't give argument to non-function");
    return { operand, args, start: operand.start, end: args.at(-1)?.end ?? operand.end };
  }

  #operand(reader: TokenReader): Operand {
    const operand = this.#term(reader);
    const names: string[] = [];
    let end = operand.end;
    const mark = end;
    for (let token = reader.peek(); token?.kind === 'field' && token.start === end; token = reader.peek()) {
      names.push(token.value);
      end = token.end;
      reader.next();
    }
    if (names.length === 0) return operand;
    if (operand.kind === 'fields') return { ...operand, names: [...operand.names, ...names], end, mark };
    return { kind: 'fields', of: operand, names, start: operand.start, end, mark };
  }

  #term(reader: TokenReader): Operand {
    const token = reader.next();
    if (token === undefined) return reader.fail('missing value for command');
    const place = { start: token.start, end: token.end };
    if (token.kind === 'field') {
      return { kind: 'fields', of: { kind: 'dot', ...place }, names: [token.value], ...place };
    }
    if (token.kind === 'string') return { kind: 'literal', value: token.value, ...place };
    if (token.kind === 'char') return { kind: 'literal', value: token.value.codePointAt(0) ?? 0, ...place };
    if (token.kind === 'number') return { kind: 'literal', value: Number(token.value), ...place };
    if (token.kind === 'variable') {
      if (!this.#variables.includes(token.value)) return reader.fail(`undefined variable "$${token.value}"`);
      return { kind: 'variable', name: token.value, ...place };
    }
    if (token.kind === 'symbol' && token.value === '.') return { kind: 'dot', ...place };
    if (token.kind === 'symbol' && token.value === '(') {
      const pipeline = this.#pipeline(reader, 'parenthesized pipeline', ')');
      return { kind: 'pipeline', pipeline, start: token.start, end: reader.peek(-1)?.end ?? pipeline.end };
    }
    if (token.kind === 'word') return this.#word(token, reader);
    return reader.fail(`unexpected ${JSON.stringify(token.value)} in operand`);
  }

  #word(token: Token, reader: TokenReader): Operand {
    const place = { start: token.start, end: token.end };
    if (token.value === 'true' || token.value === 'false') {
      return { kind: 'literal', value: token.value === 'true', ...place };
    }
    if (token.value === 'nil') return { kind: 'nil', ...place };
    if (this.#functions.has(token.value)) return { kind: 'function', name: token.value, ...place };
    return reader.fail(`function "${token.value}" not defined`);
  }
}
