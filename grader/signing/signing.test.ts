/** Signed reports, as an instructor makes them, as a student would forge them, and as openssl(1) sees them. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { home } from '../harness/home.ts';
import type { Report } from '../report.ts';

const FILE = 'labs/00-what-is-a-container/membership.ts';
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-signing-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => path.join(folder, name);
const KEY = ['--key', 'keys/grading-key.pub.pem'];

function grade(...args: string[]) {
  const env = { ...process.env, NO_COLOR: '1' };
  return spawnSync(path.join(home, 'grade'), args, { cwd: folder, encoding: 'utf8', env });
}

function verdictsOf(...args: string[]): [verdicts: string[], status: number | null] {
  const { stdout, status, stderr } = grade('verify', ...args, ...KEY, '--json');
  expect(stderr).toBe('');
  return [(JSON.parse(stdout) as { verdict: string }[]).map(({ verdict }) => verdict), status];
}

/** What a student has who changes a report: the file and its signature, and no key. */
function changed(name: string, change: (report: Report) => void): string {
  const report = JSON.parse(fs.readFileSync(at('ada.json'), 'utf8')) as Report;
  change(report);
  fs.writeFileSync(at(name), JSON.stringify(report, null, 2));
  fs.copyFileSync(at('ada.json.sig'), at(`${name}.sig`));
  return name;
}

beforeAll(() => {
  fs.mkdirSync(path.dirname(at(`ada/${FILE}`)), { recursive: true });
  fs.copyFileSync(path.join(home, 'labs/00-what-is-a-container/membership.ts'), at(`ada/${FILE}`));
  expect(grade('keygen', 'keys').status).toBe(0);
  const { status, stderr } = grade('check', 'ada', '--json', 'ada.json', '--sign', 'keys/grading-key.pem');
  expect(status, stderr).toBe(0);
});

test('a report is signed, and openssl says so too', () => {
  expect(verdictsOf('ada.json')).toEqual([['signed'], 0]);
  expect(grade('verify', 'ada.json', ...KEY).stdout).toMatch(/^ada\.json: signed: ada, 0 of 100 points, graded 2/);
  const args = ['pkeyutl', '-verify', '-pubin', '-inkey', 'keys/grading-key.pub.pem', '-rawin', '-in', 'ada.json'];
  const { stdout } = spawnSync('openssl', [...args, '-sigfile', 'ada.json.sig'], { cwd: folder, encoding: 'utf8' });
  expect(stdout).toBe('Signature Verified Successfully\n');
});

test('a report that was changed is forged, whatever was changed', () => {
  const points = changed('points.json', (report) => {
    report.points = 100;
  });
  const name = changed('name.json', (report) => {
    report.submission = 'eve';
  });
  const spaces = changed('spaces.json', () => {});
  fs.appendFileSync(at(spaces), ' ');
  expect(verdictsOf(points, name, spaces)).toEqual([['forged', 'forged', 'forged'], 1]);
  expect(grade('verify', points, ...KEY).stdout).toBe(
    'points.json: FORGED: the signature is not of this key, or the report was changed\n',
  );
});

test('a signature of another key, of another report or of odd bytes is forged; without one it is unsigned', () => {
  fs.copyFileSync(at('ada.json'), at('copy.json'));
  expect(verdictsOf('copy.json')).toEqual([['unsigned'], 1]);
  for (const signature of [Buffer.alloc(64), Buffer.alloc(0), Buffer.alloc(1 << 20), Buffer.alloc(64, 0xff)]) {
    fs.writeFileSync(at('copy.json.sig'), signature);
    expect(verdictsOf('copy.json')).toEqual([['forged'], 1]);
  }
  fs.rmSync(at('copy.json.sig'));
  fs.mkdirSync(at('copy.json.sig'));
  expect(verdictsOf('copy.json')).toEqual([['forged'], 1]);
  grade('keygen', 'other');
  const { status } = grade('verify', 'ada.json', '--key', 'other/grading-key.pub.pem');
  expect(status).toBe(1);
});

test('a report of other files than those that were handed in is told', () => {
  expect(grade('verify', 'ada.json', ...KEY, '--submission', 'ada').status).toBe(0);
  fs.cpSync(at('ada'), at('eve'), { recursive: true });
  fs.appendFileSync(at(`eve/${FILE}`), '// mine\n');
  const { stdout, status } = grade('verify', 'ada.json', ...KEY, '--submission', 'eve');
  expect([stdout, status]).toEqual([`ada.json: signed, but for other files: ${FILE}\n`, 1]);
});

test('a batch signs what it grades, also what an earlier run has left unsigned, and export refuses the rest', () => {
  fs.mkdirSync(at('class'));
  fs.cpSync(at('ada'), at('class/ada'), { recursive: true });
  const batch = (...more: string[]) => grade('batch', 'class', '--out', 'out', '--seed', '5', ...more);
  expect(batch().status).toBe(0);
  const [entry] = fs.readdirSync(at('out/submissions'));
  const file = `out/submissions/${entry}`;
  expect(verdictsOf(file)).toEqual([['unsigned'], 1]);
  expect(batch('--sign', 'keys/grading-key.pem').status).toBe(0);
  expect(verdictsOf(file)).toEqual([['signed'], 0]);
  const lti = [file, '--format', 'lti', '--signed-by', 'keys/grading-key.pub.pem'];
  expect(grade('export', ...lti)).toMatchObject({ status: 0, stderr: '' });
  fs.writeFileSync(at(file), fs.readFileSync(at(file), 'utf8').replace('"points": 0', '"points": 1'));
  const refused = grade('export', ...lti);
  expect([refused.stdout, refused.status]).toEqual(['', 2]);
  expect(refused.stderr).toBe(`${file} is forged. Nothing was exported.\n`);
  // Graded anew without a key: the old signature is gone, and does not call the new result forged.
  expect(grade('batch', 'class', '--out', 'out', '--seed', '6').status).toBe(0);
  expect(verdictsOf(file)).toEqual([['unsigned'], 1]);
});

test('keys are kept, secret, and not mixed up', () => {
  expect(fs.statSync(at('keys/grading-key.pem')).mode & 0o777).toBe(0o600);
  const before = fs.readFileSync(at('keys/grading-key.pem'), 'utf8');
  expect(grade('keygen', 'keys').stderr).toContain('grading-key.pem is there already, and is kept.');
  expect(fs.readFileSync(at('keys/grading-key.pem'), 'utf8')).toBe(before);
  const secret = grade('verify', 'ada.json', '--key', 'keys/grading-key.pem');
  expect([secret.status, secret.stderr]).toEqual([2, expect.stringContaining('is a private key. Give the public one')]);
  expect(secret.stderr).not.toContain(before.split('\n')[1]);
  const rsa = spawnSync('openssl', ['genpkey', '-algorithm', 'RSA', '-out', at('rsa.pem')]);
  expect(rsa.status).toBe(0);
  const sign = (key: string) => grade('check', 'ada', '--json', 'x.json', '--sign', key);
  expect(sign('rsa.pem').stderr).toContain('it is of the type rsa');
  expect(sign('missing.pem').stderr).toMatch(/missing\.pem is not the PEM file of an Ed25519 private key/);
  expect(sign('ada.json').status).toBe(2);
  expect(fs.existsSync(at('x.json'))).toBe(false);
});
