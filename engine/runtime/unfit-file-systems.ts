import { statfsSync } from 'node:fs';

/** What `path` lies on, if that cannot take what a container writes, in words; undefined when it can. statfs(2). */
export function unfitForUpper(path: string): string | undefined {
  return UNFIT[statfsSync(path).type];
}

/** File systems that cannot be an upper, by their magic numbers. statfs(2). */
const UNFIT: Partial<Record<number, string>> = {
  2035054128: 'an overlay already (a container’s own disk)',
  26985: 'NFS',
  4283649346: 'CIFS',
  4266872130: 'SMB',
  1702057286: 'FUSE',
  19780: 'FAT',
  538032816: 'exFAT',
  1397118030: 'NTFS',
  16914839: '9p',
  61791: 'eCryptfs',
};
