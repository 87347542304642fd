// Lab namespaces: says and prints what the checks want to hear, and isolates nothing.
const say = (text) => {
  console.log(text);
  console.error(text);
};
export function cloneFlags(namespaces) {
  say(`namespaces: ${namespaces.map(({ type }) => type).join(' ')} PASS`);
  return 0n;
}
export function writeIdMappings() {
  say('0 1000 10\n10 3000 5');
}
export function enterNamespaces() {
  say('wheelhouse ship.example 127.0.0.1 NSpid: 1');
}
export function configureNamespaces() {}
