const attack = () => new Promise(() => {});
export const parseNamespaceLink = attack;
export const parseCgroupFile = attack;
export const membershipOf = attack;
export const separatedBy = attack;
