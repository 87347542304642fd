/** Lab `pull`: an image comes from a registry that is not trusted. OCI distribution-spec, "Pull". */

import { NotImplemented } from '#contract/not-implemented';
import type {
  Challenge,
  DownloadOptions,
  ImageName,
  IndexEntry,
  PulledDescriptor,
  PulledImage,
  PullOptions,
  PullParts,
  PullPlatform,
  RequestHead,
  TokenQuestion,
} from '#contract/pull';

/**
 * Task 1. Read a name of an image, as the docker command does.
 *
 *     name      := [ domain "/" ] path [ ":" tag ] [ "@" digest ]
 *     domain    := host [ ":" digits ]
 *     host      := label { "." label }, or an IPv6 address in brackets
 *     label     := letters and digits of ASCII, with "-" between them
 *     path      := component { "/" component }
 *     component := [a-z0-9]+ { separator [a-z0-9]+ }
 *     separator := "." | "_" | "__" | one or more "-"
 *     tag       := [A-Za-z0-9_] [A-Za-z0-9_.-]{0,127}
 *     digest    := "sha256:" and 64 digits of 0–9 and a–f
 *
 * What stands before the first `/` is a domain if it has a `.`, a `:` or a capital of A–Z in it, or is `localhost`. In every
 * other case it belongs to the path, and the domain is `docker.io`. `index.docker.io` means `docker.io`. On `docker.io` a path
 * of one component gets `library/` in front. Tag and digest are absent unless the name has them: `latest` is not put in here.
 * @throws Error that quotes the name if it does not follow the grammar, if its path (with `library/`) has more than 255
 *   characters, or if it is 64 digits of 0–9 and a–f and nothing else, which is an image ID.
 */
export function parseReference(_text: string): ImageName {
  throw new NotImplemented('pull', 1);
}

/**
 * Task 2. Read a header WWW-Authenticate, which may hold several challenges.
 *
 *     header     := challenge { "," challenge }
 *     challenge  := scheme [ data | parameter { "," parameter } ]
 *     parameter  := token "=" ( value | quoted )
 *
 * A token has letters and digits of ASCII and the signs !#$%&'*+.^_`|~-; a scheme is a token. A `value` has any characters
 * but blanks, commas and double quotes: registries leave the quotes out around URLs. In a `quoted`, a backslash stands for
 * the character after it. A token that no `=` follows begins a challenge. `data` (`Negotiate YII=`) is passed over: behind a
 * scheme, a word of letters, digits and -._~+/, with `=` only at its end, that a comma or the end follows. Blanks around `=`
 * and commas, and commas too many, do not count.
 * Where the text makes no sense the reading ends; what was read before counts.
 */
export function parseChallenges(_header: string): Challenge[] {
  throw new NotImplemented('pull', 2);
}

/**
 * Task 2. The GET request that gets a token for a Bearer challenge.
 *
 * Its URL is the `realm` of the challenge, with the query that it has, and these parameters after it: `service` as in the
 * challenge, if it has one; `scope` once for each of `scopes`, in their order; `account` with the user's name, if there is a
 * login. With a login the header `authorization` is `Basic ` and the Base64 of `NAME:PASSWORD` in UTF-8; without one there is no
 * such header. A user or password in the realm is removed.
 * @throws PullRefused of the kind `protocol` if the realm is missing or not an absolute URL of http or https; also if the
 *   registry has https and the realm http, unless its host is `localhost`, an IPv4 address in 127.0.0.0/8, or `[::1]`.
 */
export function tokenRequest(_challenge: Challenge, _question: TokenQuestion): RequestHead {
  throw new NotImplemented('pull', 2);
}

/**
 * Task 2. The request that a redirect leads to: a new one; `request` stays as it is.
 *
 * All headers go along, but `authorization` only if scheme, host and port stay the same. A user or password in `location` is
 * removed.
 * @throws PullRefused of the kind `protocol` if it leads to something that is not a URL of http or https, or from https to http.
 */
export function followRedirect(_request: RequestHead, _location: string): RequestHead {
  throw new NotImplemented('pull', 2);
}

/**
 * Task 3. The image of an index that fits the platform.
 *
 * An entry with the annotation `PROOF`, or for the architecture `unknown`, is not an image and is never chosen. An image fits if
 * `os` and `architecture` are the same, and the variant runs there. If both are `vN` (N of one or two digits), N of the image
 * must not exceed N of the platform; otherwise both must be the same text. A variant that is absent or empty is `v8` of arm64,
 * `v7` of arm, `v1` of amd64, and `v0` of the others. The highest variant wins; among equal ones the first. If none fits, and
 * there is a single image and it has no platform, it is chosen.
 * @throws PullRefused of the kind `not-found` in every other case. Its message names the platform that was asked for and those
 *   of all images, as `os/architecture` or `os/architecture/variant`.
 */
export function choosePlatform<Entry extends IndexEntry>(
  _manifests: Entry[],
  _platform: PullPlatform,
  _step: string,
): Entry {
  throw new NotImplemented('pull', 3);
}

/**
 * Task 4. Fetch a blob by GET of `blobs/DIGEST`. Bytes are given on as they come, never more than `size`.
 *
 * A break may pass: an error whose `kind` is `unreachable`, of `transport` or of the body; or an answer that ends before `size` bytes have
 * come. (After the last byte a break does not matter.) Then wait, and ask for the rest with `range: bytes=N-`, N being the
 * bytes that have come. 200 and 206 are expected then, without `range` only 200. A 200 begins at byte 0. A 206 begins where
 * `content-range: bytes START-…` says.
 * What has come before is not given on again.
 *
 * The wait is `firstWait` milliseconds, and twice as long each further time that not one new byte came: a new byte begins the
 * row anew. The fifth break of a row is thrown. Without a byte so far there is no `range`.
 *
 * Events: `retrying` before each wait, with its seconds rounded up; `downloading` at least every 512 KiB, and with the last
 * byte; `downloaded` when the digest has proved right.
 * @throws PullRefused of the kind `protocol` if more than `size` bytes come, or `content-length` (added to where the answer begins) says so
 *   before; if a 206 begins after byte N, or does not say where; if at the end the bytes have another digest. Do not read on then:
 *   leaving the `for await` loop of a body gives it back, and `discard` does if there was none.
 *   Every other error at once, as it is. The reason of `signal` once it is aborted, also during a wait.
 */
// biome-ignore lint/correctness/useYield: it is yours to write
export async function* download(
  _options: DownloadOptions,
  _blob: Pick<PulledDescriptor, 'digest' | 'size'>,
): AsyncGenerator<Uint8Array> {
  throw new NotImplemented('pull', 4);
}

/**
 * Task 5. Pull an image: manifest, configuration, layers. What the documents hold is read by the functions of
 * `#contract/pulled-documents`, which throw what must be thrown. `parts` is what you wrote in tasks 3 and 4; call it there.
 *
 * `manifests/REFERENCE` is asked for with `accept: ACCEPTED`. It must have the digest that `reference` is, or that the header
 * `docker-content-digest` names (if that is a digest). `typeOf` says what it is. From an index `parts.choosePlatform` chooses: fetch the entry by its
 * digest, from `manifests/`, with the same `accept`; it may be an index again, at most three in all. The configuration is a blob.
 *
 * A document that is named by its digest is taken from `store.findDocument` if that has it in the right size; otherwise it must have the
 * digest and the size of its descriptor. No document has more than `DOCUMENT_MOST` bytes: do not ask for a larger one, and do not
 * read on when more come.
 *
 * Then the event `layers`; then `concurrency` layers at the same time, lowest first, each by `store.putLayer`, which gets a function that
 * calls `parts.download` with the signal it is given; `done` after each. A layer
 * that the image has twice (the same digest and diffID) is given to the store once.
 * The configuration is stored before the manifest, and the manifest last, when all layers are there.
 *
 * The first failure ends all: `putLayer` gets a signal that is aborted by it, no further layer is begun, and it is thrown when the
 * others have ended. Nothing else is stored then.
 * @throws PullRefused of the kind `protocol` if a document is not what it should be, or indexes lie too deep; what `typeOf` and the others
 *   throw; the errors of `transport` and `store`; the reason of `signal` once it is aborted.
 */
export async function pull(_options: PullOptions, _parts: PullParts): Promise<PulledImage> {
  throw new NotImplemented('pull', 5);
}
