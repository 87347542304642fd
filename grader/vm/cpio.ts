/** Archives in cpio's "newc" form, the one the kernel unpacks as its first root. Kernel docs, early-userspace/buffer-format. */

export interface CpioEntry {
  /** Without a leading slash. */
  path: string;
  /** Type and permission bits as in stat(2), e.g. 0o100755. */
  mode: number;
  content?: Uint8Array;
}

const DIRECTORY = 0o040755;

export function directory(path: string): CpioEntry {
  return { path, mode: DIRECTORY };
}

export function file(path: string, content: Uint8Array | string, mode = 0o644): CpioEntry {
  return { path, mode: 0o100000 | mode, content: typeof content === 'string' ? Buffer.from(content) : content };
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}

function record(entry: CpioEntry, inode: number): Buffer {
  const content = entry.content ?? Buffer.alloc(0);
  const name = Buffer.from(`${entry.path}\0`);
  const links = entry.mode === DIRECTORY ? 2 : 1;
  const fields = [inode, entry.mode, 0, 0, links, 0, content.length, 0, 0, 0, 0, name.length, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
  return Buffer.concat([padded(Buffer.concat([Buffer.from(header), name])), padded(content)]);
}

/** The archive of `entries`, in order: a directory has to come before what is in it. Everything belongs to root. */
export function cpio(entries: CpioEntry[]): Buffer {
  const all = [...entries, { path: 'TRAILER!!!', mode: 0 }];
  return Buffer.concat(all.map((entry, index) => record(entry, index + 1)));
}
