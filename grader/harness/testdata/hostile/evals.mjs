// Reach the driver's scope, its functions and the subject's own from inside: direct eval, callers, caches, parents.
const seen = [];
const names = ['startNeighbour', 'driver', 'plank', 'planks', 'shared', 'socket', 'answer', 'serve', 'loadModule', 'builtins'];
for (const name of names) {
  if (eval(`typeof ${name}`) !== 'undefined') seen.push(name);
  try {
    eval(`${name} = () => 4242`);
  } catch {}
}
for (const place of ['module.parent', 'module.children', 'require.cache', 'process.mainModule', 'arguments.callee.caller']) {
  try {
    const found = eval(place);
    for (const key of Object.keys(found ?? {})) {
      const exported = found[key]?.exports ?? found[key];
      if (typeof exported?.startNeighbour === 'function' || typeof exported?.driver === 'object') seen.push(`${place}.${key}`);
    }
  } catch {}
}
const attack = () => {
  throw new Error(`in reach: ${seen.join(', ') || 'none of the names'}`);
};
export const parseNamespaceLink = attack;
export const parseCgroupFile = attack;
export const membershipOf = attack;
export const separatedBy = attack;
