/** Layers: a tar of changes, applied to a directory, and made from one. OCI image-spec, layer.md. */

import type { Applied, ApplyOptions, DiffOptions, TarHeader } from '#contract/layer';
import { NotImplemented } from '#contract/not-implemented';

/**
 * Task 1. Read one header block of a tar archive. tar(5), "POSIX ustar Archives".
 *
 * Texts end at their first NUL, or with their field. The `prefix`, where a ustar header has one, stands before the name.
 * Numbers are octal digits between blanks and NULs, or base 256 (big-endian) when the highest bit of the field is set.
 * The checksum is the sum of all bytes of the block, with blanks in place of the checksum itself.
 * @param block 512 bytes.
 * @returns null for a block of zeros, which ends an archive.
 * @throws Error when the checksum is wrong, or a number is none.
 */
export function parseHeader(_block: Uint8Array): TarHeader | null {
  throw new NotImplemented('layer', 1);
}

/**
 * Tasks 2, 3 and 4. Unpack an uncompressed tar into `directory`.
 *
 * `ByteReader` from '#contract/byte-reader' is given: `await bytes.exactly(512)` for a header, `await bytes.some(most)`
 * for content. The content of an entry is filled up to a whole block. What follows the first block of zeros is read and
 * passed over.
 *
 * Task 2: files (flags `0`, `7` and NUL), hard links (1), symbolic links (2), devices (3, 4), directories (5) and FIFOs
 * (6), each with its mode, modification time and, when `ownership` says so, its owner; a missing parent is made with
 * mode 0755. Of two entries with one name the later one is there. A pax header (`x`) is about the next entry: its
 * records `path`, `linkpath`, `size`, `uid`, `gid` and `mtime` count more than the header; `g` is passed over.
 * Task 3: `.wh.NAME` and `.wh..wh..opq` never become files. See `whiteouts` in ApplyOptions: they hide what is in the
 * layers below, never what their own layer brings, wherever in the archive they stand. Other names that begin with
 * `.wh..wh.` are passed over.
 * Task 4: nothing outside of `directory` is read, changed or linked to, whatever the archive says.
 * @param source chunks of any size.
 * @returns how many entries there were (whiteouts count, extended headers do not), and the bytes of all regular files.
 * @throws Error for an archive that reaches out, is cut off, or is none. What it made until then may be left.
 */
export async function applyLayer(
  _source: AsyncIterable<Uint8Array>,
  _directory: string,
  _options: ApplyOptions,
): Promise<Applied> {
  throw new NotImplemented('layer', 2);
}

/**
 * Task 5. Make the layer of an overlay's upperdir, as a tar. The same tree gives the same bytes, on every machine:
 *
 * - Depth first: a directory comes before what is in it, and names are in the order of their bytes. The root has no entry.
 * - The device 0:0 at NAME is written as an empty file `.wh.NAME`; a directory whose attribute `trusted.overlay.opaque` or
 *   `user.overlay.opaque` is `y` gets an empty file `.wh..wh..opq` as its first child. Both have mode, owner and time 0.
 * - The second name of a file is a hard link to the first. Sockets are left out, and files called `.wh.…`.
 * - A ustar header: magic `ustar\0`, version `00`, directories with a slash at the end, numbers as octal digits with
 *   leading zeros and a NUL at the end, times in whole seconds, no user names, no prefix; the checksum is six digits, a
 *   NUL and a blank.
 * - What does not fit (a name or link of more than 100 bytes, a number with too many digits or below 0) is also a record of
 *   a pax header before it, named `PaxHeader`, mode 0644, everything else 0, its records sorted by key. A number that does
 *   not fit is 0 in the header, a name is cut.
 * - Two blocks of zeros at the end.
 */
// biome-ignore lint/correctness/useYield: the first `yield` is yours.
export function* diffLayer(_upper: string, _options: DiffOptions = {}): Generator<Uint8Array> {
  throw new NotImplemented('layer', 5);
}
