import type { EngineApi } from './api.ts';

/** An engine that ours is measured beside, through Docker's API. */
export interface OtherEngine {
  name: string;
  api: EngineApi;
  /** The processes it consists of besides the containers'. */
  pids: () => number[];
  stop: () => Promise<void>;
}
