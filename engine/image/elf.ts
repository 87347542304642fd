/** Which shared libraries a program of the host needs: asked of the program's own dynamic loader. ld.so(8), elf(5). */

import { execFile } from 'node:child_process';
import { closeSync, openSync, readSync } from 'node:fs';
import { promisify } from 'node:util';

const run = promisify(execFile);

const PT_INTERP = 3;

/** What a file is to the kernel: `static`, or `dynamic` with the loader that it names. Undefined: no 64-bit ELF program. */
export type Linkage = { kind: 'static' } | { kind: 'dynamic'; loader: string };

export function linkageOf(path: string): Linkage | undefined {
  const fd = openSync(path, 'r');
  try {
    const header = Buffer.alloc(64);
    // \x7fELF, 64 bits, little-endian: x86-64 and arm64 alike.
    if (
      readSync(fd, header, 0, 64, 0) < 64 ||
      header.readUInt32BE(0) !== 0x7f454c46 ||
      header.readUInt16BE(4) !== 0x0201
    ) {
      return undefined;
    }
    const [offset, size, count] = [
      Number(header.readBigUInt64LE(32)),
      header.readUInt16LE(54),
      header.readUInt16LE(56),
    ];
    for (let index = 0; index < count; index += 1) {
      const program = Buffer.alloc(56);
      readSync(fd, program, 0, 56, offset + index * size);
      if (program.readUInt32LE(0) !== PT_INTERP) continue;
      const loader = Buffer.alloc(Number(program.readBigUInt64LE(32)));
      readSync(fd, loader, 0, loader.length, Number(program.readBigUInt64LE(8)));
      return { kind: 'dynamic', loader: loader.toString('utf8', 0, loader.indexOf(0)) };
    }
    return { kind: 'static' };
  } finally {
    closeSync(fd);
  }
}

/**
 * The absolute paths, as the loader will open them, of `program`'s libraries and their libraries, loader included.
 * @throws Error that names a library that is not on this host.
 */
export async function librariesOf(program: string, loader: string): Promise<string[]> {
  const { stdout } = await run(loader, ['--list', program], { env: { LC_ALL: 'C' } });
  const libraries = [loader];
  for (const line of stdout.split('\n')) {
    const missing = /^\s*(\S+) => not found/.exec(line);
    if (missing) throw new Error(`hostbox: ${program} needs ${missing[1]}, which is not on this host`);
    // "libc.so.6 => /lib/…/libc.so.6 (0x…)"; a library named by its path has no arrow, the vDSO has no path.
    const [, path] = /^\s*(?:\S+ => )?(\/\S+) \(0x/.exec(line) ?? [];
    if (path) libraries.push(path);
  }
  return libraries;
}
