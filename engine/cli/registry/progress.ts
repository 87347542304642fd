/** What the daemon tells while layers move: bars on a terminal, one line a layer elsewhere. */

import type { Readable, Writable } from 'node:stream';
import type { MultiBar, SingleBar } from 'cli-progress';
import { ProgressSchema } from '../api-types.ts';
import { CliError } from '../errors.ts';
import { humanSize } from '../format/size.ts';
import { documents } from '../ndjson.ts';
import { printable } from '../output.ts';

/** With these a layer is done. */
const FINAL = /^(?:Pull complete|Already exists|Pushed|Layer already exists|Mounted from .*)$/;

interface Screen {
  /** Of one layer, or of nothing in particular. */
  show(id: string | undefined, status: string, moved: { current?: number; total?: number }): void;
  end(): void;
}

/**
 * Follow such a stream to its end.
 * @param out where it is shown; undefined for nowhere.
 * @returns what the daemon said in `aux`, last.
 * @param exitCode of the error.
 * @throws CliError when the daemon says that it failed.
 */
export async function followProgress(
  stream: Readable,
  out: (Writable & { isTTY?: boolean }) | undefined,
  exitCode = 1,
): Promise<unknown> {
  const screen = out === undefined ? nowhere : out.isTTY ? await bars(out) : lineByLine(out);
  let aux: unknown;
  try {
    for await (const { document } of documents(stream)) {
      const { id, status, error, progressDetail, aux: given } = ProgressSchema.parse(document);
      if (error !== undefined) throw new CliError(`Error response from daemon: ${error}`, exitCode);
      if (given !== undefined) aux = given;
      if (status !== undefined) screen.show(id, status, progressDetail ?? {});
    }
    return aux;
  } finally {
    screen.end();
  }
}

const nowhere: Screen = { show: () => {}, end: () => {} };

/** One line a layer: when it is done, or has to wait. */
export function lineByLine(out: Writable): Screen {
  return {
    show: (id, status) => {
      if (id === undefined) out.write(`${status}\n`);
      else if (FINAL.test(status) || /^(?:Pulling from|Retrying)/.test(status)) out.write(`${id}: ${status}\n`);
    },
    end: () => {},
  };
}

async function bars(out: Writable): Promise<Screen> {
  const { MultiBar } = await import('cli-progress');
  const screen: MultiBar = new MultiBar({
    stream: out as NodeJS.WritableStream,
    hideCursor: true,
    clearOnComplete: false,
    linewrap: false,
    barsize: 30,
    format: (options, { progress }, { id, status, detail }: { id: string; status: string; detail: string }) => {
      const size = options.barsize ?? 30;
      const full = Math.round(progress * size);
      const bar = detail === '' ? '' : ` [${'='.repeat(full)}${' '.repeat(size - full)}] ${detail}`;
      return `${id}: ${status}${bar}`;
    },
  });
  const bars = new Map<string, SingleBar>();
  return {
    show: (id, status, { current, total }) => {
      const text = printable(status);
      if (id === undefined || /^Pulling from/.test(status)) {
        screen.log(`${id === undefined ? '' : `${printable(id)}: `}${text}\n`);
        return;
      }
      const isMoving = current !== undefined && total !== undefined && total > 0;
      const detail = isMoving ? `${humanSize(current)}/${humanSize(total)}` : '';
      const payload = { id: printable(id), status: text, detail };
      let bar = bars.get(id);
      if (bar === undefined) {
        bar = screen.create(1, 0, payload);
        bars.set(id, bar);
      }
      bar.update(isMoving ? current / total : FINAL.test(status) ? 1 : 0, payload);
    },
    end: () => {
      screen.update();
      screen.stop();
    },
  };
}
