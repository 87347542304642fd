/** What all pages share: one file without network, in light and dark, from a phone's width up. */

import { Html, html } from './html.ts';

const STYLE = `
:root { color-scheme: light dark; --ink: #1d2430; --page: #fff; --line: #c6ccd6; --soft: #eef1f5; --bar: #2b5fb3; --good: #17663b; --bad: #a3231b; --open: #6b5200; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ef; --page: #14181f; --line: #4a5361; --soft: #222934; --bar: #7fb0ff; --good: #7fd6a2; --bad: #ff9d94; --open: #f0cf6b; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 70rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2rem; } h3 { font-size: 1.05rem; }
a { color: var(--bar); }
.wide { overflow-x: auto; }
.wide:focus-visible, a:focus-visible, summary:focus-visible { outline: 3px solid var(--bar); outline-offset: 2px; }
table { border-collapse: collapse; }
caption { text-align: left; padding-bottom: .4rem; }
th, td { border: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top; }
thead th { background: var(--soft); }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bar { display: inline-block; height: .8rem; background: var(--bar); vertical-align: middle; }
.passed { color: var(--good); } .failed { color: var(--bad); } .open { color: var(--open); }
mark { background: #ffe9a8; color: #1d2430; }
.beside { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1rem; }
.beside pre { max-height: 40rem; overflow: auto; font-size: .8rem; }
pre { white-space: pre-wrap; background: var(--soft); padding: .6rem; }
`;

/** @param title is text. @param body is markup of the templates. */
export function page(title: string, body: Html): string {
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<main>
<h1>${title}</h1>
${body}
</main>
</body>
</html>
`;
  return document.markup;
}

/** A table that scrolls on its own where it is wider than the page, also by keyboard. */
export function wideTable(caption: string, head: readonly string[], rows: readonly Html[]): Html {
  return html`<div class="wide" tabindex="0" role="region" aria-label="${caption}">
<table>
<caption>${caption}</caption>
<thead><tr>${head.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>
${rows}
</tbody>
</table>
</div>`;
}

/** A bar of `share`, from 0 to 1. The number beside it says the same. */
export function bar(share: number): Html {
  return html`<span class="bar" style="width: ${Math.round(share * 60) / 10}rem"></span>`;
}

export function dateOf(instant: string): string {
  return `${new Date(instant).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
