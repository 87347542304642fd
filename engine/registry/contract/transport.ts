/** How `pull` and `push` reach one repository of one registry. Login, redirects and proxies lie behind it. */

export interface RegistryRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /**
   * Below `/v2/NAME/`, e.g. `manifests/latest` or `blobs/uploads/?mount=…`. Or what a registry said in a `Location`: a
   * path that begins with `/`, or a whole URL, which gets no credentials unless it leads to the registry itself.
   */
  path: string;
  /** Names in lower case. */
  headers?: Record<string, string>;
  /** A function is called again each time the request has to be sent again. Give `content-length` if it is known. */
  body?: Uint8Array | (() => AsyncIterable<Uint8Array>);
  /** The statuses that are answers. Every other one is thrown as an error. 200 unless given. */
  expect?: number[];
  /** What is being done, after "cannot", for errors: `fetch the manifest latest`. */
  step: string;
  /** More than the repository's own, e.g. `repository:other/name:pull` for a mount. */
  scopes?: string[];
  /** Aborts the request and the body of its answer. */
  signal?: AbortSignal;
}

export interface RegistryResponse {
  status: number;
  /** Names in lower case; one that came several times is joined with `, `. */
  headers: Record<string, string>;
  /** Read it to its end, or `discard` it. Fails when the connection breaks. */
  body: AsyncIterable<Uint8Array>;
  /** Do not read the rest. */
  discard(): Promise<void>;
}

/** What the errors of a transport say beside their message. Decide by these, and never by the text. */
export interface TransportError extends Error {
  /**
   * `unreachable`: no connection, or it broke. `unauthorized` is 401, `denied` 403, `not-found` 404, `too-many` 429, `server`
   * 500 and above, `protocol` any other status that was not expected. There are more kinds: see RegistryFailure.
   */
  kind: string;
  /** Of the answer, if there was one. */
  status?: number;
}

/**
 * Send one request.
 * @throws TransportError when the registry cannot be reached, refuses the credentials, or answers with a status that is
 *   not expected. What may pass by itself (a connection that breaks before the answer, 429, 502, 503, 504) was tried again
 *   before.
 */
export type Transport = (request: RegistryRequest) => Promise<RegistryResponse>;
