// Gigabytes on standard output.
import fs from 'node:fs';

const line = Buffer.alloc(1 << 20, 'all tests passed\n');
const attack = () => {
  for (let megabytes = 0; megabytes < 8192; megabytes++) fs.writeSync(1, line);
};
export const parseNamespaceLink = attack;
export const parseCgroupFile = attack;
export const membershipOf = attack;
export const separatedBy = attack;
