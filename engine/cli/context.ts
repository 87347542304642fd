import type { ApiClient } from './api-client.ts';
import type { Location } from './location.ts';

/** What every command gets. */
export interface Context {
  client: ApiClient;
  location: Location;
}
