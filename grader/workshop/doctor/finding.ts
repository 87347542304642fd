/** What one probe found out. */

export type Status =
  | 'ok'
  /** Not there, or refused. `fix` says what to do. */
  | 'missing'
  /** Not there, and nothing that a lab needs stands or falls with it. */
  | 'absent';

export interface Finding {
  /** Stable, for `--json`. */
  id: string;
  title: string;
  status: Status;
  detail: string;
  /** A command or a sentence that puts it right. */
  fix?: string;
}

/** What the child that makes system calls writes, one line of JSON each. */
export interface KernelAnswer {
  id: string;
  /** null when it worked. */
  error: string | null;
}
