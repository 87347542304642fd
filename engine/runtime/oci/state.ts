/** The state that `state` prints and that hooks are told. runtime.md, "State". */

import type { ContainerRecord } from './record.ts';
import type { Status } from './status.ts';

/** The version whose documents this runtime writes. */
export const OCI_VERSION = '1.2.0';

export interface State {
  ociVersion: string;
  id: string;
  status: Status;
  /** 0 when there is no process. */
  pid: number;
  bundle: string;
  annotations?: Record<string, string>;
}

export function stateOf({ id, bundle, config, init }: ContainerRecord, status: Status): State {
  const pid = status === 'stopped' ? 0 : (init?.pid ?? 0);
  return { ociVersion: OCI_VERSION, id, status, pid, bundle, annotations: config.annotations };
}
