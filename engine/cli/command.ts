import { Command, type ParseOptionsResult } from 'commander';
import { UsageError } from './errors.ts';

/** Options that do not belong to a command. */
const GLOBAL = ['--root', '--host', '-H', '--socket', '--mine', '--debug'];

/**
 * A command with docker's manners: `--flag=false` for switches, docker's sentences for what is wrong, `-h` left free
 * for the host name, help with examples.
 */
export class SkiffCommand extends Command {
  #examples: string[] = [];
  #last: string | undefined;
  #operands = { usage: '', fewest: 0, most: 0 };

  constructor(name?: string) {
    super(name);
    this.helpOption('--help', 'Print usage');
    this.exitOverride();
    this.configureOutput({ writeErr: () => {} });
    this.argument('[operands...]');
    this.configureHelp({
      visibleArguments: () => [],
      commandUsage: () => this.usageText().split('\n')[0]?.replace('Usage:  ', '') ?? '',
    });
    this.addHelpText('after', () =>
      this.#examples.length === 0 ? '' : `\nExamples:\n${this.#examples.map((line) => `  ${line}`).join('\n')}`,
    );
  }

  /** How many operands there may be, and how the usage names them. */
  operands(usage: string, fewest: number, most = fewest): this {
    this.#operands = { usage, fewest, most };
    return this;
  }

  /** Command lines that show what the command is for. */
  examples(...lines: string[]): this {
    this.#examples = lines;
    return this;
  }

  /** The usage line and where to read more. */
  usageText(verb = 'Run'): string {
    const words = [this.#fullName(), this.options.length > 0 ? '[OPTIONS]' : '', this.#operands.usage].filter(Boolean);
    return `Usage:  ${words.join(' ')}\n\n${verb} '${this.#fullName()} --help' for more information`;
  }

  /** What `action` does, once the number of operands is right. */
  run<O>(action: (operands: string[], options: O) => Promise<void>): this {
    return this.action(async (operands: string[], options: O) => {
      this.#checkOperands(operands);
      await action(operands, options);
    });
  }

  override parseOptions(args: string[]): ParseOptionsResult {
    this.#last = args.at(-1);
    return super.parseOptions(this.#withoutBooleanValues(args));
  }

  override error(message: string): never {
    const unknown = /^error: unknown option '([^']*)'(?:\n\((.*)\))?/.exec(message);
    if (unknown !== null) {
      const [, flag = '', hint] = unknown;
      const what = flag.startsWith('--') ? `unknown flag: ${flag}` : `unknown shorthand flag: '${flag[1]}' in ${flag}`;
      const before =
        GLOBAL.includes(flag) && this.name() !== 'skiff' ? `It stands before the command: skiff ${flag} …` : hint;
      throw new UsageError(before === undefined ? what : `${what}\n${before}`);
    }
    const missing = /^error: option '(-(\w), )?(--[\w-]+).*' argument missing/.exec(message);
    if (missing !== null) {
      const short = this.#last === `-${missing[2]}`;
      throw new UsageError(`flag needs an argument: ${short ? `'${missing[2]}' in -${missing[2]}` : missing[3]}`);
    }
    throw new UsageError(message.replace(/^error: /, ''));
  }

  /** `--rm=true` is `--rm`; `--rm=false` is as if it were not there, also where the switch is on by default. */
  #withoutBooleanValues(args: string[]): string[] {
    const out: string[] = [];
    for (let at = 0; at < args.length; at += 1) {
      const arg = args[at] as string;
      if (arg === '--' || (!arg.startsWith('-') && this.#passesThrough)) return [...out, ...args.slice(at)];
      const [, flag = '', value] = /^(--[\w-]+)=(true|false|1|0)$/.exec(arg) ?? [];
      const [, short = '', attached] = /^(-[a-zA-Z])=(.*)$/s.exec(arg) ?? [];
      const name = flag || short || arg;
      const known = this.options.find((option) => option.long === name || option.short === name);
      if (known?.required === true && attached !== undefined) {
        out.push(short, attached);
        continue;
      }
      if (known !== undefined && value !== undefined && known.isBoolean()) {
        const on = value === 'true' || value === '1';
        if (on && !known.negate) out.push(flag);
        else this.setOptionValueWithSource(known.attributeName(), on !== known.negate, 'cli');
        continue;
      }
      // An optional value comes after an equals sign or not at all: what follows is another word.
      out.push(known?.optional === true && value === undefined ? `${arg}=` : arg);
      if (known?.required === true && value === undefined && at + 1 < args.length) {
        at += 1;
        out.push(args[at] as string);
      }
    }
    return out;
  }

  #passesThrough = false;

  /** Everything from the first operand on belongs to the container's command. */
  passThrough(): this {
    this.#passesThrough = true;
    return this.passThroughOptions();
  }

  #fullName(): string {
    return this.name() === 'skiff' ? 'skiff' : `skiff ${this.name()}`;
  }

  #checkOperands(given: string[]): void {
    const { fewest, most } = this.#operands;
    if (given.length >= fewest && given.length <= most) return;
    const count = (n: number): string => (n === 1 ? '1 argument' : `${n} arguments`);
    const needs =
      most === 0
        ? 'accepts no arguments'
        : fewest === most
          ? `requires ${count(fewest)}`
          : given.length < fewest
            ? `requires at least ${count(fewest)}`
            : `requires at most ${count(most)}`;
    const error = new UsageError(`skiff: '${this.#fullName()}' ${needs}`, 1);
    error.usage = this.usageText(given.length < fewest && fewest !== most ? 'See' : 'Run');
    throw error;
  }
}

/** For an option that may be given many times: its values in order. */
export function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

/** The parser of an option's value: docker's sentence when `read` does not understand it. */
export function parsed<T>(flag: string, expected: string, read: (text: string) => T | undefined): (text: string) => T {
  return (text) => {
    const value = read(text);
    if (value !== undefined) return value;
    throw new UsageError(`invalid argument "${text}" for "${flag}" flag: it must be ${expected}`);
  };
}

/** A whole number, for `parsed`. */
export function wholeNumber(text: string): number | undefined {
  return /^[+-]?\d+$/.test(text) ? Number(text) : undefined;
}
