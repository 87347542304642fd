// Lets the driver fail as if the machine could not do what it is asked for.
const refuse = () => {
  throw Object.assign(new Error('EPERM: operation not permitted, clone'), { code: 'EPERM', syscall: 'clone' });
};
Promise.all = refuse;
Promise.race = refuse;
Array.prototype.map = refuse;
JSON.parse = refuse;
export const parseNamespaceLink = refuse;
export const parseCgroupFile = refuse;
export const membershipOf = refuse;
export const separatedBy = refuse;
