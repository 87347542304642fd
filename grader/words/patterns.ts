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
  { pattern: /(?<!\bthere )\bis none\b/i, plainer: 'name the case, or write "must be …, not …"' },
  { pattern: /\bthe one who\b/i, plainer: 'name who: "the caller", "the process that …"' },
  { pattern: /\b(?:of|for|to|by|but|with) who\b/i, plainer: 'name who: "for a caller that …"' },
  { pattern: /(?<![a-z] )\bWho (?:is|has|called|made|does|wants) [^?]*\.(?:$| )/, plainer: '"A process that …"' },
  { pattern: /\binstead of what there (?:is|was)\b|\bwhat there (?:is|was) not\b/i, plainer: 'name the thing' },
  {
    pattern: /\bsuch that (?:do|does|are|have)\b/i,
    plainer: 'name the thing: "the ones that do not run" → "stopped containers"',
  },
  { pattern: /\b(?:also|and|on) such that\b/i, plainer: 'name the thing: "even ones that …"' },
  { pattern: /\bbelieved nothing\b/i, plainer: '"nothing it reports is trusted"' },
  { pattern: /\bof that there\b/i, plainer: 'name the thing' },
  {
    pattern: /\b(?:option|name|one|network|shape) (?:that )?there is not\b/i,
    plainer: '"unknown option", "there is no such network"',
  },
  { pattern: /(?<!\bthere )\b(?:is|are) no (?!longer|more|such|need|other)[a-z]+/i, plainer: '"is not a …"' },
  { pattern: /\btakes? an? [^.]*, and [^.]* is not (?:one|a )/i, plainer: '"must be …, not …"' },
];

/** The first riddle in a text, with what to write instead; undefined if there are none. */
export function riddleIn(text: string): { found: string; plainer: string } | undefined {
  for (const { pattern, plainer } of riddles) {
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) return { found, plainer };
  }
  return undefined;
}
