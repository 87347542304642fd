import { Option } from 'commander';
import { collect, parsed, wholeNumber } from '../command.ts';
import { parseBytes } from '../format/size.ts';
import type { CreateBody } from './create-body.ts';

/** An option of `run` and `create`, and what it puts into the request. */
export interface ContainerOption {
  option: Option;
  apply(body: CreateBody, value: unknown): void;
}

export type Put<T> = (body: CreateBody, value: T) => void;

/** An option with one value. */
export function one<T>(flags: string, text: string, read: (value: string) => T, put: Put<T>): ContainerOption {
  return { option: new Option(flags, text).argParser(read), apply: (body, value) => put(body, value as T) };
}

/** An option that may be given many times. */
export function many(flags: string, text: string, put: Put<string[]>): ContainerOption {
  return { option: new Option(flags, text).argParser(collect), apply: (body, value) => put(body, value as string[]) };
}

export function flag(flags: string, text: string, put: (body: CreateBody) => void): ContainerOption {
  return { option: new Option(flags, text), apply: (body) => put(body) };
}

export const plain = (text: string): string => text;
export const number = (flags: string): ((text: string) => number) => parsed(flags, 'a whole number', wholeNumber);
export const bytes = (flags: string): ((text: string) => number) =>
  parsed(flags, 'a size like 64m or 1.5g', (text) => (text === '-1' ? -1 : parseBytes(text)));

/** One value that goes into HostConfig as it is. */
export function host(flags: string, text: string, field: string): ContainerOption {
  return one(flags, text, plain, (body, value) => {
    body.HostConfig[field] = value;
  });
}

export function hostNumber(flags: string, text: string, field: string): ContainerOption {
  return one(flags, text, number(flagName(flags)), (body, value) => {
    body.HostConfig[field] = value;
  });
}

export function hostBytes(flags: string, text: string, field: string): ContainerOption {
  return one(flags, text, bytes(flagName(flags)), (body, value) => {
    body.HostConfig[field] = value;
  });
}

export function hostList(flags: string, text: string, field: string): ContainerOption {
  return many(flags, text, (body, value) => {
    body.HostConfig[field] = value;
  });
}

export function flagName(flags: string): string {
  return flags.replace(/ <.*$/, '');
}
