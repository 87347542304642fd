/** Lab `push`: an image into a repository, with as few bytes as possible. OCI distribution-spec, "Push". */

import { NotImplemented } from '#contract/not-implemented';
import type { Begun, BlobSteps, PushDescriptor, Pushed, PushJob, PushOptions, Upload } from '#contract/push';

// What holds for all five functions:
// - Every request goes through `job.transport` (`#contract/transport`). It throws for a status that is not in `expect`, which
//   is 200 unless given. `step` is for people: any text that says what is being done. Names of headers are in lower case.
// - TransportError is an interface and not a class: look at `kind` and `status`. Other errors have neither.
// - Every request is given `job.signal`, but for the DELETE of task 4. If it is aborted, no new request is made.
// - Every answer is discarded once its status and headers are read: `discard()`. Else its connection is never free again.
// - What `transport`, `source` and the functions that you are given throw is thrown on as it is, unless something else is
//   said here.

/**
 * Task 1. Find out whether the blob has to be sent, and begin an upload if it has.
 *
 * 1. HEAD `blobs/DIGEST`: 200 says that the repository has it, 404 that it does not.
 * 2. `job.source.mounts(blob.digest)` names repositories that may have it. For each of the first three, in their order: POST
 *    `blobs/uploads/?mount=DIGEST&from=NAME`, with the additional scope `repository:NAME:pull`.
 *    201: it is mounted. 202: this registry or this repository does not mount it, and has begun an upload, which is used;
 *    no other repository is tried. A TransportError of the kind `unauthorized` or `denied`: the next one is tried.
 * 3. If no upload has begun: POST `blobs/uploads/`, 202.
 *
 * The upload's `location` is the `Location` of the answer, `sent` is 0, and `chunkSize` is that of the job, or what the
 * registry asks for with `OCI-Chunk-Min-Length` if that is more. If that header is missing or not a number, it does not count.
 * @throws PushError if an answer of 202 has no `Location`, or an empty one.
 */
export function beginUpload(_job: PushJob, _blob: PushDescriptor): Promise<Begun> {
  throw new NotImplemented('push', 1);
}

/**
 * Task 2. Send the bytes of the blob from `upload.sent` on.
 *
 * While more is left than `upload.chunkSize`: PATCH to `upload.location` with exactly so many bytes, 202. Then PUT to
 * `upload.location` with the rest (perhaps nothing) and with `digest=DIGEST` added to the location's query, 201.
 * A location may have a query already. It is used as it is otherwise, whichever host it names.
 *
 * Headers: `content-type` is `application/octet-stream`, `content-length` the bytes of this request. `content-range` is
 * `FIRST-LAST`, both counted from 0 in the blob: in each PATCH, and in a PUT that is not the whole blob. A request without
 * bytes has none.
 * The body is a function that reads from `job.source` each time it is called, for the transport may have to send it
 * again. The bytes are handed on as they are read, with at most 200,000 of them read and not yet sent: a layer may be larger
 * than the memory.
 *
 * After each 202 `upload.location` and `upload.sent` are set: `location` to the answer's `Location`. So `upload` is right
 * at any moment, also when the next request fails.
 * @throws PushError if a 202 has no `Location`, or an empty one.
 */
export function sendBytes(_job: PushJob, _blob: PushDescriptor, _upload: Upload): Promise<void> {
  throw new NotImplemented('push', 2);
}

/**
 * Task 3. Ask the registry how far an upload got: GET `upload.location`.
 *
 * 204 has `Range: 0-LAST`, sometimes `bytes=0-LAST`: it has LAST + 1 bytes. `0-0` and a missing Range mean that it has none.
 * 400, 404, 405 and 416 say that it cannot tell. Other statuses are errors, as always.
 * @returns a new Upload with the offset and the `Location` of the answer (the old location if it has none or an empty one)
 *   and the old `chunkSize`. Undefined if the registry cannot tell, if its Range is malformed, or if it cannot be
 *   true: more bytes than the blob has, or fewer than `upload.sent`, which it had already.
 */
export function resumeUpload(_job: PushJob, _blob: PushDescriptor, _upload: Upload): Promise<Upload | undefined> {
  throw new NotImplemented('push', 3);
}

/**
 * Task 4. Push one blob. `steps` has the functions of tasks 1 to 3: call those, and not your own by name.
 *
 * Begin; if the blob is there or mounted, that is the answer. If not, send the bytes. After a failure of `sendBytes` that
 * may pass: `job.pause(failures)`, then `resumeUpload`, then `sendBytes` again with the upload that it returns. If it
 * returns undefined: cancel the upload, and call `beginUpload` again. If the blob exists then, only an answer was lost, and
 * it is `pushed`; if it was mounted, that is the answer; a new upload is sent, with the `chunkSize` of the one before.
 *
 * A failure may pass if `job.signal` is not aborted, and it is a TransportError of the kind `unreachable`, `server` or
 * `too-many`, or with the status 404, 413 or 416. The first failure is number 1. The number begins at 1 again if
 * `upload.sent` is more than it was at any failure before: something got through. After the fifth in a row it is over.
 * After a 413 `upload.chunkSize` becomes a quarter, rounded down, but not less than 1 MiB; if it is 1 MiB or less already,
 * the failure does not pass.
 *
 * Cancel: DELETE to `upload.location`, accepting 202, 204, 400, 404 and 405; if it fails, nothing happens. It must also
 * work when `job.signal` is aborted. An upload that is given up for good is cancelled, once, before the error is thrown.
 * @throws the failure that ended it; if the client went away while bytes were sent, that or the reason of `job.signal`.
 */
export function pushBlob(_job: PushJob, _blob: PushDescriptor, _steps: BlobSteps): Promise<Pushed> {
  throw new NotImplemented('push', 4);
}

/**
 * Task 5. Push everything that a manifest leads to, and at last the manifest.
 *
 * `job.source.document` gives the text of a manifest or an index: JSON with `config` and `layers`, or with `manifests`. Each
 * of these fields may be missing; their entries are descriptors. For every blob (config or layer) `push` is called, at most
 * `concurrency` at the same time, and as many as that if there are so many; what is named several times, also by several
 * manifests of one index, is pushed once. When all are there: PUT `manifests/NAME`, 201, the document byte for byte, with
 * the descriptor's media type as `content-type`. NAME is the tag; without one, and for the manifests of an index, it is
 * the digest.
 *
 * The manifests of an index come before it. They may be indexes too. First HEAD `manifests/DIGEST` with their media type
 * as `accept`: 200 says that it is there with everything that it leads to, 404 that it is not. Each is pushed once.
 *
 * `push` gets a signal that aborts when `job.signal` does, and when any blob failed. After a failure no other blob is begun and
 * no request is made; when the blobs on their way have ended, the first failure is thrown.
 * @throws PushError if the answer to a manifest has a `Docker-Content-Digest` that is not its digest; the reason of
 *   `job.signal` if that is aborted.
 */
export function pushManifest(
  _job: PushJob,
  _manifest: PushDescriptor,
  _options: PushOptions,
  _push: (blob: PushDescriptor, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  throw new NotImplemented('push', 5);
}
