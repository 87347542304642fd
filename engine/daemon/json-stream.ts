import type { ServerResponse } from 'node:http';
import { BuildError } from '../image/build/build-error.ts';
import { toApiError } from './api-error.ts';

/** A line of Docker's progress streams: JSONMessage. */
export interface Progress {
  /** Text that is shown as it is. */
  stream?: string;
  status?: string;
  /** What `status` is about; a terminal keeps one line for each. */
  id?: string;
  progressDetail?: { current?: number; total?: number };
  progress?: string;
  aux?: unknown;
}

/**
 * An answer that tells of work as it goes on, one JSON document a line. What goes wrong before the first line is an
 * ordinary error; after it the status has been sent, and the error is a line of its own.
 */
export class JsonStream {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  write(progress: Progress): void {
    this.#begin();
    this.#response.write(`${JSON.stringify(progress)}\r\n`);
  }

  end(): void {
    this.#begin();
    this.#response.end();
  }

  /** Do the work, and end the answer with it. @throws what the work throws before it has written anything. */
  async during(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!this.#response.headersSent) throw error;
      const { message } = toApiError(error);
      const code = error instanceof BuildError ? error.exitCode : undefined;
      const errorDetail = { ...(code !== undefined && { code }), message };
      this.#response.write(`${JSON.stringify({ errorDetail, error: message })}\r\n`);
    }
    this.end();
  }

  #begin(): void {
    if (!this.#response.headersSent) this.#response.writeHead(200, { 'Content-Type': 'application/json' });
  }
}
