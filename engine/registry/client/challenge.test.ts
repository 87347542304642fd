import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseChallenges } from './challenge.ts';

function read(header: string) {
  return parseChallenges(header).map(({ scheme, parameters }) => ({ scheme, ...Object.fromEntries(parameters) }));
}

test('a comma inside quotes belongs to the value', () => {
  expect(read('Bearer realm="https://auth.example/token",service="one, two",scope="repository:a:pull,push"')).toEqual([
    { scheme: 'bearer', realm: 'https://auth.example/token', service: 'one, two', scope: 'repository:a:pull,push' },
  ]);
});

test('several challenges in one header are read apart', () => {
  expect(read('Negotiate, Basic realm="a \\"b\\" c" , , bearer  Realm = "https://x/t" , service=plain')).toEqual([
    { scheme: 'negotiate' },
    { scheme: 'basic', realm: 'a "b" c' },
    { scheme: 'bearer', realm: 'https://x/t', service: 'plain' },
  ]);
});

test('a realm without quotes is read as far as the comma', () => {
  expect(read('Bearer realm=https://x/t?a=b,service=s')).toEqual([
    { scheme: 'bearer', realm: 'https://x/t?a=b', service: 's' },
  ]);
});

test('a token after a scheme is passed over', () => {
  expect(read('Negotiate YII+/x==, Basic realm="r"')).toEqual([
    { scheme: 'negotiate' },
    { scheme: 'basic', realm: 'r' },
  ]);
});

test('the first parameter of a name counts', () => {
  expect(read('Basic realm="first", realm="second"')).toEqual([{ scheme: 'basic', realm: 'first' }]);
});

test('what is cut off in the middle keeps what came before', () => {
  expect(read('Basic realm="r", Bearer realm="https://x')).toEqual([
    { scheme: 'basic', realm: 'r' },
    { scheme: 'bearer' },
  ]);
});

test('any text is read to its end', () => {
  const piece = fc.oneof(fc.string(), fc.constantFrom('Bearer ', 'realm=', '"', ',', '\\', '=', ' ', 'Basic'));
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => Array.isArray(parseChallenges(pieces.join('')))),
  );
});

test('any parameter that is quoted comes back as it was', () => {
  const value = fc.string().filter((text) => !/[\r\n]/.test(text));
  const property = fc.property(value, value, (realm, service) => {
    const quote = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`;
    expect(read(`Bearer realm=${quote(realm)}, service=${quote(service)}`)).toEqual([
      { scheme: 'bearer', realm, service },
    ]);
  });
  fc.assert(property);
});
