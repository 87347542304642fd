import { version } from '../../package.json';

/** The Docker Engine API that this client speaks unless `SKIFF_API_VERSION` says otherwise (for an older engine). */
export const DEFAULT_API_VERSION = '1.50';

export function apiVersion(): string {
  return process.env.SKIFF_API_VERSION || DEFAULT_API_VERSION;
}

/** What `version` shows of the client, in the words of the API. */
export function clientVersion(): Record<string, string> {
  return {
    Version: version,
    ApiVersion: apiVersion(),
    DefaultAPIVersion: DEFAULT_API_VERSION,
    NodeVersion: process.version,
    Os: process.platform,
    Arch: process.arch === 'x64' ? 'amd64' : process.arch,
  };
}
