// As much as may be said at once, and all of it different from what was expected.
const attack = () => Array.from({ length: 100000 }, (_, n) => ({ [n % 7]: n % 3 }));
export const parseNamespaceLink = attack;
export const parseCgroupFile = attack;
export const membershipOf = attack;
export const separatedBy = () => Array.from({ length: 150000 }, (_, n) => String(n % 10));
