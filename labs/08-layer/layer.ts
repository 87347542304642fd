/** Layers: a tar of changes, applied to a directory, and made from one. OCI image-spec, layer.md. */

import type { Applied, ApplyOptions, DiffOptions, TarHeader } from '#contract/layer';
import { NotImplemented } from '#contract/not-implemented';

/**
 * Task 1. Read one header block of a tar archive. tar(5), "POSIX ustar Archives".
 *
 * - A text ends at its first NUL, or with its field. The `prefix` of a ustar header (magic `ustar` and a NUL), if it is not
 *   empty, and a slash stand in front of the name. GNU tar (magic `ustar` and a blank) has other things at that place.
 * - A number is octal digits, with any blanks and NULs before and after them; a field without digits is 0. If the highest
 *   bit of the field is set, it is base 256 instead: the other bits are one big-endian number in two's complement.
 * - The checksum is the sum of all bytes of the block, with blanks in place of the checksum's own eight.
 * @param block 512 bytes.
 * @returns null for a block of zeros, which ends an archive.
 * @throws Error when the checksum is wrong, a field that should be a number is not, or is beyond ±2⁵³.
 */
export function parseHeader(_block: Uint8Array): TarHeader | null {
  throw new NotImplemented('layer', 1);
}

/**
 * Tasks 2, 3 and 4. Unpack an uncompressed tar into `directory`.
 *
 * `ByteReader` from '#contract/byte-reader' is given: `await bytes.exactly(512)` for a header, `await bytes.some(most)`
 * for content. Content is filled up to whole blocks of 512 bytes. A block of zeros ends the archive, and so does the end
 * of `source` in place of a header; what follows the zeros is read and ignored.
 *
 * Task 2.
 * - Files (flags `0`, `7` and NUL), hard links (1), symbolic links (2), devices (3, 4), directories (5) and FIFOs (6).
 *   Entries with the flags 1 to 6 have no content, whatever their size field says.
 * - Each gets its mode (symbolic links have none), its modification time in whole seconds, and with `ownership` its owner.
 *   A hard link is only one more name of an earlier entry: its own mode, time and owner are ignored. It may name a symbolic
 *   link, which then has two names.
 * - A missing parent is made with mode 0755, less the umask. If the archive has no entry for a directory, its time may be anything.
 * - Of two entries with one name the later one is there. A directory entry keeps what is in a directory that is there
 *   already; it replaces a symbolic link.
 * - A pax header (`x`) is about the next entry: its records `path`, `linkpath`, `size`, `uid`, `gid` and `mtime` count
 *   more than the fields of that entry's header. Each record is `LENGTH KEY=VALUE\n`, and LENGTH counts all of it, so a
 *   value may have newlines. Other keys are ignored. `mtime` may have a fraction, which may be dropped. A pax header of more than 1 MiB
 *   is refused. A global one (`g`) is read and ignored, as Docker does.
 *
 * Task 3. No file called `.wh.…` is ever made; whiteouts of any flag, and with content, count as whiteouts.
 * - `.wh.NAME`: NAME of the layers below is gone. `.wh..wh..opq`: everything that the layers below have in its directory
 *   is gone. Neither touches what this layer brings, wherever in the archive it stands; the same whiteout may come twice.
 * - Other names that begin with `.wh..wh.`, and everything below such a name, are read and ignored.
 * - `whiteouts: 'remove'` removes the files. `whiteouts: 'overlay'` makes the character device 0:0 at NAME, unless this
 *   layer has something there, and gives an opaque directory the attribute `…overlay.opaque` with the value `y`. A
 *   directory that this layer brings in place of a hidden name is opaque.
 *
 * Task 4. Nothing outside of `directory` is read, changed or linked to, whatever the archive says. Refused are
 * - names and hard-link targets that begin with `/` (tar and Docker strip the slash, here they are an error) or have `..`;
 * - parents that are a symbolic link leading out, to something that does not exist, or in circles. A link that stays
 *   inside is followed as the container will follow it: a `/` at the beginning of its target is `directory`;
 * - hard links to nothing, to a directory, or to a whiteout; a root that is not a directory; the device 0:0; whiteouts of
 *   nothing, `.` and `..`; entries below a `.wh.NAME`; flags that are not named here.
 * @param source chunks of any size.
 * @returns how many entries there were (whiteouts count, extended headers do not), and the bytes of all regular files.
 * @throws Error for what is refused, and for an archive that is truncated or not a tar. What it made until then may be left.
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
 *   Whiteouts are never hard links, though the kernel gives all of them one inode.
 * - The second name of a file is a hard link to the first. FIFOs and devices are entries. Sockets are left out, files called
 *   `.wh.…`, and what `exclude` says, with everything below.
 * - A ustar header: magic `ustar\0`, version `00`, directories with a slash at the end, numbers as octal digits with
 *   leading zeros and a NUL at the end, times in whole seconds rounded down, no user names, no prefix; the checksum is six
 *   digits, a NUL and a blank.
 * - What does not fit (a name or link of more than 100 bytes, a number with too many digits or below 0) is also a record of
 *   a pax header before it, named `PaxHeader`, flag `x`, mode 0644, all other numbers 0, its records sorted by key. A number
 *   that does not fit is 0 in the header, a name is cut after 100 bytes.
 * - Two blocks of zeros at the end.
 */
// biome-ignore lint/correctness/useYield: the first `yield` is yours.
export function* diffLayer(_upper: string, _options: DiffOptions = {}): Generator<Uint8Array> {
  throw new NotImplemented('layer', 5);
}
