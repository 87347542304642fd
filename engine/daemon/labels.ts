/** Whether labels have `wanted`: a key, or `key=value`. */
export function hasLabel(labels: Record<string, string>, wanted: string): boolean {
  const [key = '', ...rest] = wanted.split('=');
  return Object.hasOwn(labels, key) && (rest.length === 0 || labels[key] === rest.join('='));
}
