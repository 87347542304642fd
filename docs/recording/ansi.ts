/** What `tmux capture-pane -e` prints, as runs of characters that look alike. ECMA-48, SGR. */

export interface Run {
  text: string;
  color: string | null;
  bold: boolean;
  dim: boolean;
}

const palette = ['#586069', '#f97583', '#85e89d', '#ffea7f', '#79b8ff', '#b392f0', '#73e3ff', '#d1d5da'];

export function parseAnsiLine(line: string): Run[] {
  const runs: Run[] = [];
  let style: Omit<Run, 'text'> = { color: null, bold: false, dim: false };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what is parsed here
  for (const part of line.split(/(\x1b\[[0-9;]*m)/)) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: see above
    const codes = /^\x1b\[([0-9;]*)m$/.exec(part)?.[1];
    if (codes === undefined) {
      if (part !== '') runs.push({ text: part, ...style });
    } else {
      for (const code of codes.split(';').map(Number)) style = apply(style, code);
    }
  }
  return runs;
}

function apply(style: Omit<Run, 'text'>, code: number): Omit<Run, 'text'> {
  if (code === 0) return { color: null, bold: false, dim: false };
  if (code === 1) return { ...style, bold: true };
  if (code === 2) return { ...style, dim: true };
  if (code === 22) return { ...style, bold: false, dim: false };
  if (code === 39) return { ...style, color: null };
  if (code >= 30 && code <= 37) return { ...style, color: palette[code - 30]! };
  if (code >= 90 && code <= 97) return { ...style, color: palette[code - 90]! };
  return style;
}
