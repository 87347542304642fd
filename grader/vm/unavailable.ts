/** The host cannot boot a virtual machine. `message` says what is missing and how to get it: a reason to skip, not a fault. */
export class VmUnavailable extends Error {
  override name = 'VmUnavailable';
}
