/**
 * Lab `registry`: what a registry answers. OCI distribution-spec 1.1, https://github.com/opencontainers/distribution-spec.
 *
 * All five tasks are answers of one function. An endpoint that you have not written yet may throw the NotImplemented of its
 * task, such as `new NotImplemented('registry', 3)`: the check then says "not written yet", and judges the other tasks.
 *
 * NAME is a repository's name, DIGEST a digest, TAG a tag, ID the id of an upload. HEAD is answered like GET: the same status,
 * the same headers. `body` may be there for HEAD, too: the caller does not send it. Wherever the size of an answer's body is
 * known, `content-length` says it. The names of the headers of an answer may have any case.
 */

import { NotImplemented } from '#contract/not-implemented';
import type { RegistryRequest, RegistryResponse, RegistryStore } from '#contract/registry';

/**
 * Answer one request.
 *
 * ## Task 1. Requests and refusals
 *
 * `target` is a path, and perhaps `?` and a query. The path is percent-decoded as a whole, once; one that cannot be decoded is
 * 400 NAME_INVALID. `.` and `..` are not resolved (the class `URL` would). The endpoints:
 *
 *     GET                       /v2/                          (also /v2)                           task 1
 *     GET, DELETE               /v2/NAME/blobs/DIGEST                                              task 2
 *     POST                      /v2/NAME/blobs/uploads/       (also without the / at the end)      task 3
 *     GET, PATCH, PUT, DELETE   /v2/NAME/blobs/uploads/ID                                          task 3
 *     GET, PUT, DELETE          /v2/NAME/manifests/TAG-OR-DIGEST                                   task 4
 *     GET                       /v2/NAME/tags/list                                                 task 5
 *     GET                       /v2/_catalog                                                       task 5
 *
 * - The endpoint is what the path ends in. NAME may have the same words: `/v2/a/manifests/b/tags/list` is the list of `a/manifests/b`.
 * - Any other path is 404 UNSUPPORTED. A method that an endpoint does not take is 405 UNSUPPORTED, and the header `allow` lists
 *   those that it takes, HEAD among them where GET is: `GET, HEAD, DELETE`.
 * - `GET /v2/` is 200 with `{}`; its permission is `permit('ping', '')`.
 * - A NAME has components with `/` between them, and at most 255 characters. A component is one or more groups of `a`–`z` and
 *   `0`–`9`; between two groups stands one `.`, one `_`, two `_`, or any number of `-`. Any other NAME is 400 NAME_INVALID.
 * - A RequestRefused, which your code, `permit` or the store throws, becomes an answer: its status, its headers, and
 *   `{"errors":[{"code":…,"message":…,"detail":…}]}` as `application/json`. `detail` may be absent if it is undefined.
 * - Any other error is not yours to answer: throw it on. The caller logs it and answers 500.
 *
 * In every task `permit` is awaited before the first call of the store. And the store is never given a name, tag, digest or id
 * that is not one.
 *
 * ## Task 2. Blobs
 *
 * A DIGEST is `sha256:` and 64 digits of `0`–`9` and `a`–`f`; anything else is 400 DIGEST_INVALID. (sha512 is not judged.)
 * A blob that this repository does not have is 404 BLOB_UNKNOWN, also if another repository has it.
 *
 * - GET, `permit('pull', NAME)`: 200 with the bytes, `content-length` and `docker-content-digest`.
 *   The header `range` may ask for a part: `bytes=FIRST-LAST`, `bytes=FIRST-` (to the end) or `bytes=-COUNT` (the last ones).
 *   FIRST and LAST count from 0, and LAST is part of it. The answer is 206 with these bytes, their `content-length`, and
 *   `content-range: bytes FIRST-LAST/SIZE`. A LAST behind the end means the last byte; a COUNT of more than there are means all.
 *   If FIRST is not in the blob, or COUNT is 0, the answer is 416 (its code is not judged), and its `content-range` is `bytes`, a blank, an
 *   asterisk, a slash and SIZE. Any other form, and a LAST before FIRST, are answered as if there was no `range`.
 * - DELETE, `permit('delete', NAME)`: 202. Other repositories keep the blob.
 *
 * ## Task 3. Uploads
 *
 * The permission of all of them is `permit('push', NAME)`. An ID that is not a UUID in lower case, or that the repository has no
 * upload of, is 404 BLOB_UPLOAD_UNKNOWN.
 *
 * - POST: 202 begins an upload. `location: /v2/NAME/blobs/uploads/ID` says where it goes on, and
 *   `range: 0-LAST` what has arrived: LAST is the place of the last byte, and 0 while there is none.
 * - POST with `?digest=DIGEST`: the body is the whole blob. Answered like PUT. If anything goes wrong, no upload is left.
 * - POST with `?mount=DIGEST&from=OTHER`: if the repository OTHER has the blob, it is a blob of NAME from now on, and the answer
 *   is that of PUT. Otherwise an upload begins, 202. OTHER needs `permit('pull', OTHER)`: a client without it learns no more than
 *   one that asks for what is not there, and gets 202. A `mount` that is not a DIGEST is 400 DIGEST_INVALID. (`mount` without
 *   `from`, and what the answer to a `from` is that is not a name, are not judged.)
 * - PATCH appends the body: 202 with `location` and `range`. What has arrived stays if the client goes away in the middle.
 *   A header `content-range: FIRST-LAST` says where the body belongs. Of any other form (an empty one, too) it is 400
 *   BLOB_UPLOAD_INVALID. If FIRST is not the place after the last byte, it is 416 BLOB_UPLOAD_INVALID with `location` and `range`.
 *   Either way nothing is appended.
 * - PUT with `?digest=DIGEST` appends the body as PATCH does, and ends the upload: 201 with `location: /v2/NAME/blobs/DIGEST` and
 *   `docker-content-digest`. Without a DIGEST it is 400 DIGEST_INVALID, nothing is appended, and the upload goes on. If
 *   the bytes have another digest, it is 400 DIGEST_INVALID, nothing is stored, and the upload is gone.
 * - GET: 204 with `location` and `range`. DELETE: 204, and the upload is gone.
 *
 * Two requests may come for one upload at the same time: the second one waits for the first (`withUpload`).
 *
 * ## Task 4. Manifests
 *
 * What has a `:` is a DIGEST, as in task 2. A TAG is one to 128 of `A`–`Z`, `a`–`z`, `0`–`9`, `_`, `.` and `-`, and does not begin with
 * `.` or `-`; anything else is 400 MANIFEST_INVALID. A manifest that is not there is 404: NAME_UNKNOWN if the store has no such
 * repository at all (`hasRepository`), and MANIFEST_UNKNOWN if it has.
 *
 * - GET, `permit('pull', NAME)`: 200 with the very bytes that were pushed, `content-type`, `content-length` and
 *   `docker-content-digest`.
 * - PUT, `permit('push', NAME)`: 201 with `location: /v2/NAME/manifests/TAG-OR-DIGEST` and `docker-content-digest`.
 *   - A body of more than 4 MiB (4,194,304 bytes) is 413 SIZE_INVALID, and is not read to its end.
 *   - A DIGEST in the path that is not the body's is 400 DIGEST_INVALID.
 *   - 400 MANIFEST_INVALID is the answer to a body that is not a JSON object; that has `manifests` (an index) beside `config` or
 *     `layers` (a manifest), or neither `manifests` nor `config`; whose `layers` or `manifests` are there and are not lists; one of whose
 *     descriptors has no valid `digest`, or a `size` that is not a whole number of at least 0.
 *   - Its media type is its own `mediaType`, or else the request's `content-type` without what comes after `;`. If both are there
 *     they must be the same. Neither is 400 MANIFEST_INVALID as well.
 *   - It needs what it refers to: `config` and `layers` are blobs, `manifests` are manifests. If the store says that some are
 *     missing, the answer is 404 MANIFEST_BLOB_UNKNOWN, with the missing ones as `detail`: a list of objects with `digest`, at least.
 * - DELETE, `permit('delete', NAME)`: 202. A TAG goes alone; a DIGEST takes all tags along that point to it.
 *
 * ## Task 5. Lists
 *
 * - `tags/list`, `permit('pull', NAME)`: 200 with `{"name":NAME,"tags":[…]}`; 404 NAME_UNKNOWN if there is no such repository.
 * - `_catalog`, `permit('catalog', '')`: 200 with `{"repositories":[…]}`.
 *
 * Both are in the order of the store. `?last=TEXT` leaves out what is not after TEXT, by the order of `<`. `?n=COUNT` ends the list after
 * COUNT; if more would follow, and the list is not empty, the header `link: <PATH?n=COUNT&last=LAST>; rel="next"` is where it goes
 * on, with the last one of the list. An `n` that is not a number of digits is 400 UNSUPPORTED.
 *
 * @throws every error that is not a RequestRefused. What was stored before it stays whole.
 */
export async function answer(_request: RegistryRequest, _store: RegistryStore): Promise<RegistryResponse> {
  throw new NotImplemented('registry', 1);
}
