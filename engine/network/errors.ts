/** Something about the network cannot be done; the message says what, why, and the way out. */
export class NetworkError extends Error {
  override readonly name: string = 'NetworkError';
}

/** A port of the host's cannot be had. */
export class PortTaken extends NetworkError {
  override readonly name = 'PortTaken';
}
