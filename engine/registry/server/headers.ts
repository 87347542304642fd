/** What headers of a request ask for. RFC 9110. */

import type { RegistryRequest } from '#contract/registry';

/**
 * From the first byte up to the one before the last of a single range; undefined for none, or for one that is not
 * understood, which means the whole. RFC 9110, section 14.
 */
export function rangeOf(header: string, size: number): [start: number, end: number] | 'unsatisfiable' | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header.trim()) ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined;
  if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
  return start < end ? [start, end] : 'unsatisfiable';
}

/** Whether an Accept header, of which there may be several, has a type. RFC 9110, section 12.5.1. */
export function accepts(header: string | string[] | undefined, mediaType: string): boolean {
  const ranges = [header ?? []]
    .flat()
    .join(',')
    .split(',')
    .map((range) => range.trim().toLowerCase())
    .filter(Boolean);
  const wanted = ranges
    .filter((range) => !/;\s*q=0(?:\.0*)?\s*$/.test(range))
    .map((range) => range.split(';')[0]?.trim());
  const [family] = mediaType.split('/');
  // What every manifest is, beside what it says it is.
  const names = [mediaType.toLowerCase(), '*/*', `${family}/*`, 'application/json'];
  return ranges.length === 0 || wanted.some((range) => names.includes(`${range}`));
}

export function isKnown(headers: RegistryRequest['headers'], digest: string): boolean {
  return `${headers['if-none-match'] ?? ''}`.split(',').some((tag) => tag.trim().replace(/^W\//, '') === `"${digest}"`);
}

export function unlessChanged(headers: RegistryRequest['headers'], digest: string): boolean {
  return headers['if-range'] === undefined || headers['if-range'] === `"${digest}"`;
}
