import settings from '../../package.json' with { type: 'json' };

const attack = () => settings;
export const parseNamespaceLink = attack;
export const parseCgroupFile = attack;
export const membershipOf = attack;
export const separatedBy = attack;
