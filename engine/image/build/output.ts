/** What a build tells, in the order of the Dockerfile although stages run at the same time. */

/** Characters that a stage may have said while it waits for its turn. */
const WAITING_MAX = 4 * 1024 * 1024;

export class Output {
  readonly #emit: (text: string) => void;
  readonly #waiting: { text: string[]; size: number; over: boolean }[];
  #front = 0;

  /** @param voices how many there are: each is silent until all before it are over */
  constructor(voices: number, emit: (text: string) => void) {
    this.#emit = emit;
    this.#waiting = Array.from({ length: voices }, () => ({ text: [], size: 0, over: false }));
  }

  say(voice: number, text: string): void {
    if (voice === this.#front) {
      this.#emit(text);
      return;
    }
    const waiting = this.#waiting[voice]!;
    waiting.size += text.length;
    if (waiting.size <= WAITING_MAX) waiting.text.push(text);
  }

  /** Nothing more comes from it. */
  end(voice: number): void {
    this.#waiting[voice]!.over = true;
    while (this.#waiting[this.#front]?.over) {
      this.#front += 1;
      for (const text of this.#waiting[this.#front]?.text.splice(0) ?? []) this.#emit(text);
    }
  }
}
