/** Where an operand stands in the template, for messages. */
export interface Place {
  start: number;
  end: number;
  /** Where messages say it is, if that is not its start: Go puts a chain of names at the second of them. */
  mark?: number;
}

export type Operand = Place &
  (
    | { kind: 'dot' }
    | { kind: 'nil' }
    | { kind: 'literal'; value: string | number | boolean }
    /** `.A.B`, `$x.A` or `(…).A`: `of` is what the first name is looked up in. */
    | { kind: 'fields'; of: Operand; names: string[] }
    | { kind: 'variable'; name: string }
    | { kind: 'function'; name: string }
    | { kind: 'pipeline'; pipeline: Pipeline }
  );

/** An operand and, if it is a function or method, what it is called with. */
export interface Call extends Place {
  operand: Operand;
  args: Operand[];
}

export interface Pipeline extends Place {
  /** `$x := …` or `$i, $x := …`; with `assign` an existing variable is set instead. */
  variables: string[];
  assign: boolean;
  calls: Call[];
}

export type Node =
  | { kind: 'text'; text: string }
  | { kind: 'action'; pipeline: Pipeline }
  | { kind: 'if' | 'with' | 'range'; pipeline: Pipeline; body: Node[]; otherwise: Node[] }
  | { kind: 'break' | 'continue' };
