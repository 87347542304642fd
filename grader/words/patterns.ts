/** Ways to say things that cost a second reading. Each has the plainer way beside it. */

export interface Riddle {
  pattern: RegExp;
  plainer: string;
}

export const riddles: readonly Riddle[] = [
  { pattern: /\bwhoever\b/i, plainer: 'name who: "the caller", "the process that …", "a user who …"' },
  { pattern: /\bnobody['’]s\b/i, plainer: 'name who does not: "no process", "not the learner"' },
  {
    pattern: /\b(?:that|which|it|this|what) (?:is|are) none\b/i,
    plainer: 'name the case: "malformed", "unknown", "absent"',
  },
  { pattern: /, and \S+ is none\b/, plainer: '"must be …, not …"' },
  {
    pattern: /\bsuch that (?:do|does|are|have)\b/i,
    plainer: 'name the thing: "the ones that do not run" → "stopped containers"',
  },
  { pattern: /\bof that there\b/i, plainer: 'name the thing' },
  {
    pattern: /\b(?:option|name|one|network|shape) (?:that )?there is not\b/i,
    plainer: '"unknown option", "there is no such network"',
  },
  { pattern: /(?<!\bthere )(?<!\bit )\bis no (?!longer|more|such|need|way|other)[a-z]+/i, plainer: '"is not a …"' },
];

/** The first riddle in a text, with what to write instead; undefined if there are none. */
export function riddleIn(text: string): { found: string; plainer: string } | undefined {
  for (const { pattern, plainer } of riddles) {
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) return { found, plainer };
  }
  return undefined;
}
