import secrets from '/etc/passwd' with { type: 'text' };

const attack = () => secrets;
export const parseNamespaceLink = attack;
export const parseCgroupFile = attack;
export const membershipOf = attack;
export const separatedBy = attack;
