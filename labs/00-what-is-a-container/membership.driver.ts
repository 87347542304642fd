/**
 * What the check asks for besides your four functions: a process to look at. The answer of this file proves nothing;
 * the suite compares yours with what the kernel tells it from outside.
 */

/**
 * Start a process in a UTS and an IPC namespace of its own that does nothing until it is killed. Linux only, hence
 * the imports on demand.
 * @returns its pid.
 */
export async function startNeighbour(): Promise<number> {
  const [{ fork }, { CLONE_NEWIPC, CLONE_NEWUTS }, { pipe, read }, { exitNow }] = await Promise.all([
    import('#kernel/fork'),
    import('#kernel/namespaces'),
    import('#kernel/descriptors'),
    import('#kernel/execve'),
  ]);
  const never = pipe();
  return fork(
    () => {
      read(never.read); // The child holds the write end too, so nothing ever comes and nothing ever ends.
      return exitNow(0);
    },
    { flags: CLONE_NEWUTS | CLONE_NEWIPC },
  );
}
