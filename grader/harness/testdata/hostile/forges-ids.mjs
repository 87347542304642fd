// Well-formed answers, to the wrong questions.
const attack = () => {
  for (const handle of process._getActiveHandles())
    if (typeof handle.write === 'function') handle.write(`${JSON.stringify({ id: 77, value: { name: 'pid', inode: 1 } })}\n`);
  return new Promise(() => {});
};
export const parseNamespaceLink = attack;
export const parseCgroupFile = attack;
export const membershipOf = attack;
export const separatedBy = attack;
