import { randomBytes } from 'node:crypto';
import { ContainerError } from './errors.ts';
import { ADJECTIVES, SURNAMES } from './words.ts';

/** 64 hexadecimal digits. Docker never hands out an id whose short form is all digits, since it would read as a number. */
export function newId(): string {
  for (;;) {
    const id = randomBytes(32).toString('hex');
    if (!/^\d+$/.test(id.slice(0, 12))) return id;
  }
}

/** Names appear in host names, logs and file names: as long as those are. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}$/;

/** A name without the leading slash that the API allows. @throws ContainerError `invalid` */
export function parseName(name: string): string {
  const bare = name.startsWith('/') ? name.slice(1) : name;
  if (!NAME.test(bare))
    throw new ContainerError(
      'invalid',
      `Invalid container name (${name.slice(0, 80)}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed, and at most 255 of them`,
    );
  return bare;
}

/** A name such as `brave_lovelace` that `isTaken` does not know; with a digit at its end when luck runs out. */
export function inventName(isTaken: (name: string) => boolean): string {
  const pick = (words: readonly string[]) => words[Math.floor(Math.random() * words.length)];
  for (let attempt = 0; ; attempt++) {
    const name = `${pick(ADJECTIVES)}_${pick(SURNAMES)}${attempt < 6 ? '' : Math.floor(Math.random() * 10 ** (attempt - 5))}`;
    if (!isTaken(name)) return name;
  }
}
