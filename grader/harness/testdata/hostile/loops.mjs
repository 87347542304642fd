const attack = () => {
  for (;;);
};
export const parseNamespaceLink = attack;
export const parseCgroupFile = attack;
export const membershipOf = attack;
export const separatedBy = attack;
