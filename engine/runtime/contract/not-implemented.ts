/** What the body of an untouched starter throws, so that a check can tell "not begun" from "wrong". */
export class NotImplemented extends Error {
  override readonly name = 'NotImplemented';
  readonly code = 'ENOTIMPLEMENTED';
  /** The lab's id, e.g. `process`. */
  readonly lab: string;
  /** The task's number in the lab's README.md, from 1. */
  readonly task: number;

  constructor(lab: string, task: number) {
    super(
      `Lab ${lab}, task ${task} is not written yet. ` +
        `Read task ${task} in the lab's README.md, write it, then run: ./workshop check ${lab}`,
    );
    this.lab = lab;
    this.task = task;
  }
}
