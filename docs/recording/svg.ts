/** Screens of a terminal as one SVG that plays them: each is shown for its time, the last one stays. */

import { parseAnsiLine, type Run } from './ansi.ts';

export interface Screen {
  lines: string[];
  /** How long it is shown. */
  seconds: number;
}

const CHARACTER = 8.4;
const LINE = 19;
const MARGIN = 16;
const BAR = 28;

export function drawScreens(screens: Screen[], columns: number, rows: number): string {
  const width = Math.ceil(columns * CHARACTER + 2 * MARGIN);
  const height = rows * LINE + 2 * MARGIN + BAR;
  const total = screens.reduce((sum, { seconds }) => sum + seconds, 0);
  let begin = 0;
  const frames = screens.map(({ lines, seconds }, index) => {
    const from = ((begin / total) * 100).toFixed(2);
    begin += seconds;
    const to = ((begin / total) * 100).toFixed(2);
    const last = index === screens.length - 1;
    const keyframes = last
      ? `@keyframes f${index}{0%,${from}%{opacity:0}${from}%,100%{opacity:1}}`
      : `@keyframes f${index}{0%,${from}%{opacity:0}${from}%,${to}%{opacity:1}${to}%,100%{opacity:0}}`;
    return {
      keyframes,
      group: `<g class="f" style="animation-name:f${index}${last ? ';opacity:1' : ''}">${drawLines(lines)}</g>`,
    };
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>A terminal: a lab's check goes from red to green, and the docker command drives the engine</title>
<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#e1e4e8;white-space:pre}
.f{opacity:0;animation-duration:${total}s;animation-timing-function:step-end;animation-fill-mode:forwards}
${frames.map(({ keyframes }) => keyframes).join('\n')}</style>
<rect width="${width}" height="${height}" rx="8" fill="#1f2428"/>
<circle cx="18" cy="16" r="6" fill="#f97583"/><circle cx="38" cy="16" r="6" fill="#ffea7f"/><circle cx="58" cy="16" r="6" fill="#85e89d"/>
${frames.map(({ group }) => group).join('\n')}
</svg>
`;
}

function drawLines(lines: string[]): string {
  return lines
    .map((line, row) => {
      const y = BAR + MARGIN + row * LINE + 10;
      let column = 0;
      return parseAnsiLine(line)
        .map((run) => {
          const x = (MARGIN + column * CHARACTER).toFixed(1);
          column += run.text.length;
          return run.text.trim() === '' ? '' : `<text x="${x}" y="${y}"${look(run)}>${escapeXml(run.text)}</text>`;
        })
        .join('');
    })
    .join('');
}

function look({ color, bold, dim, text }: Run): string {
  const fill = color
    ? ` style="fill:${color}${bold ? ';font-weight:bold' : ''}"`
    : bold
      ? ' style="font-weight:bold"'
      : '';
  return `${fill}${dim ? ' opacity=".65"' : ''} textLength="${(text.length * CHARACTER).toFixed(1)}"`;
}

function escapeXml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}
