import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  familiarName,
  familiarReference,
  formatReference,
  InvalidReference,
  parseReference,
  withDefaultTag,
} from './reference.ts';

const DIGEST = `sha256:${'f'.repeat(64)}`;

describe('a familiar name stands for a complete one', () => {
  test.each([
    ['hostbox', 'docker.io/library/hostbox:latest', 'hostbox:latest'],
    ['hostbox:1.0', 'docker.io/library/hostbox:1.0', 'hostbox:1.0'],
    ['me/app', 'docker.io/me/app:latest', 'me/app:latest'],
    ['library/hostbox', 'docker.io/library/hostbox:latest', 'hostbox:latest'],
    ['docker.io/hostbox', 'docker.io/library/hostbox:latest', 'hostbox:latest'],
    ['index.docker.io/me/app', 'docker.io/me/app:latest', 'me/app:latest'],
    ['localhost/app', 'localhost/app:latest', 'localhost/app:latest'],
    ['localhost:5000/app:v1', 'localhost:5000/app:v1', 'localhost:5000/app:v1'],
    ['example.com/a/b/c', 'example.com/a/b/c:latest', 'example.com/a/b/c:latest'],
    ['[::1]:5000/app', '[::1]:5000/app:latest', '[::1]:5000/app:latest'],
    [`app@${DIGEST}`, `docker.io/library/app@${DIGEST}`, `app@${DIGEST}`],
    [`app:1@${DIGEST}`, `docker.io/library/app:1@${DIGEST}`, `app:1@${DIGEST}`],
    ['localhost', 'docker.io/library/localhost:latest', 'localhost:latest'],
    ['a__b/c---d.e', 'docker.io/a__b/c---d.e:latest', 'a__b/c---d.e:latest'],
    // A name that could be taken for a host keeps its domain.
    ['docker.io/localhost/app', 'docker.io/localhost/app:latest', 'docker.io/localhost/app:latest'],
    ['docker.io/library/a/b', 'docker.io/library/a/b:latest', 'library/a/b:latest'],
  ])('%s is %s, shown as %s', (text, complete, familiar) => {
    const reference = withDefaultTag(parseReference(text));
    expect(formatReference(reference)).toBe(complete);
    expect(familiarReference(reference)).toBe(familiar);
  });
});

test.each([
  ['', /invalid reference format/],
  ['Hostbox', /must be lowercase/],
  ['me/App', /must be lowercase/],
  ['a//b', /invalid reference format/],
  ['/a', /invalid reference format/],
  ['a/', /invalid reference format/],
  ['-a', /invalid reference format/],
  ['a..b', /invalid reference format/],
  ['a___b', /invalid reference format/],
  ['a:', /"" is not a tag/],
  ['a:-x', /is not a tag/],
  [`a:${'x'.repeat(129)}`, /is not a tag/],
  ['a@sha256:abc', /is not a sha256 digest/],
  [`a@${DIGEST}@${DIGEST}`, /is not a sha256 digest/],
  ['a b', /invalid reference format/],
  ['a\nb', /invalid reference format/],
  ['../../etc/passwd', /invalid reference format/],
  ['https://example.com/a', /invalid reference format/],
  [`a/${'b'.repeat(254)}`, /more than 255 characters/],
  ['f'.repeat(64), /is an image ID/],
])('%j is refused: %s', (text, message) => {
  expect(() => parseReference(text)).toThrow(InvalidReference);
  expect(() => parseReference(text)).toThrow(message);
});

const part = fc.stringMatching(/^[a-z0-9]{1,6}((\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}$/);
const reference = fc.record(
  {
    domain: fc.oneof(
      fc.constantFrom('docker.io', 'localhost', 'localhost:5000', 'example.com', 'UPPER', '[fe80::1]:80'),
      fc.stringMatching(/^[a-z0-9]{1,5}\.[a-z0-9]{2,3}(:[0-9]{1,5})?$/),
    ),
    path: fc
      .array(fc.oneof(part, fc.constantFrom('library', 'localhost')), { minLength: 1, maxLength: 4 })
      .map((parts) => parts.join('/')),
    tag: fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/),
    digest: fc.constant(DIGEST),
  },
  { requiredKeys: ['domain', 'path'] },
);

test('property: a reference is read back from its complete form and from its familiar one', () => {
  fc.assert(
    fc.property(reference, (generated) => {
      // On the default domain a single-part path always is below library/.
      fc.pre(generated.domain !== 'docker.io' || generated.path.includes('/'));
      const parsed = parseReference(formatReference(generated as never));
      expect(parsed).toEqual(generated);
      expect(parseReference(familiarReference(parsed))).toEqual(parsed);
      expect(familiarReference(parsed).length).toBeLessThanOrEqual(formatReference(parsed).length);
      expect(familiarReference(parsed).startsWith(familiarName(parsed))).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test('property: any text is either a reference that survives both forms, or refused by name', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-zA-Z0-9.:@/_-]{0,30}$/)), (text) => {
      let parsed: ReturnType<typeof parseReference>;
      try {
        parsed = parseReference(text);
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidReference);
        return;
      }
      expect(parseReference(formatReference(parsed))).toEqual(parsed);
      expect(parseReference(familiarReference(parsed))).toEqual(parsed);
    }),
    { numRuns: 5000 },
  );
});
