// An answer that is nested deeper than a stack.
const attack = () => {
  for (const handle of process._getActiveHandles())
    if (typeof handle.write === 'function') handle.write('{"id":1,"value":' + '['.repeat(200000) + ']'.repeat(200000) + '}\n');
  return new Promise(() => {});
};
export const parseNamespaceLink = attack;
export const parseCgroupFile = attack;
export const membershipOf = attack;
export const separatedBy = attack;
