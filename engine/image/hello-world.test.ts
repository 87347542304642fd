import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { helloProgram } from './hello-program.ts';
import { ensureHelloWorld, HELLO_WORLD } from './hello-world.ts';
import { Images } from './images.ts';
import { expectValid, hasProgram, scratchDirectory } from './test-support.ts';

const OWN = process.arch;
const EMULATORS: Record<string, string> = { arm64: 'qemu-aarch64', x64: 'qemu-x86_64' };

describe.each(['x64', 'arm64'])('a hello for %s', (architecture) => {
  const emulator = architecture === OWN ? undefined : EMULATORS[architecture]!;
  const canRun = emulator === undefined || hasProgram(emulator);
  test.skipIf(!canRun)(`prints its text and ends with 0${canRun ? '' : ` (skipped: needs ${emulator})`}`, () => {
    const text = `Ahoy, ${architecture}: ${'~'.repeat(5000)}\n`;
    const program = join(scratchDirectory(), 'hello');
    writeFileSync(program, helloProgram(architecture, text), { mode: 0o755 });
    const [first, ...rest] = emulator === undefined ? [program] : [emulator, program];
    expect(execFileSync(first!, rest, { encoding: 'utf8' })).toBe(text);
  });
});

test('a hello whose output cannot be written ends with 1', () => {
  const program = join(scratchDirectory(), 'hello');
  writeFileSync(program, helloProgram(OWN, 'Ahoy\n'), { mode: 0o755 });
  expect(() => execFileSync('sh', ['-c', `exec ${program} > /dev/full`])).toThrow(
    expect.objectContaining({ status: 1 }),
  );
});

test('an architecture that no program is known for is named', () => {
  expect(() => helloProgram('mips', 'x')).toThrow('mips');
  expect(() => helloProgram('x64', 'x'.repeat(70_000))).toThrow('too long');
});

test('hello-world is made of valid documents, the same each time, in one store and in two', async () => {
  const images = await Images.open(scratchDirectory());
  const [first, again] = await Promise.all([ensureHelloWorld(images), ensureHelloWorld(images)]);
  expect(again).toEqual(first);
  expect(first.repoTags).toEqual([HELLO_WORLD]);
  expectValid('image-manifest-schema.json', JSON.parse(`${await images.store.read(first.manifest)}`));
  expectValid('config-schema.json', JSON.parse(`${await images.store.read(first.id)}`));
  const other = await Images.open(scratchDirectory());
  expect((await ensureHelloWorld(other)).manifest).toBe(first.manifest);
});
