import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { abbreviation } from './time-zone.ts';

const ZONES = ['Asia/Seoul', 'Europe/Berlin', 'America/New_York', 'Etc/UTC', 'Asia/Dubai', 'Australia/Lord_Howe'];
const there = ZONES.filter((zone) => fs.existsSync(`/usr/share/zoneinfo/${zone}`));
const times = [0, 500_000_000, 1_700_000_000, 1_751_000_000, 1_795_000_000, 4_000_000_000];

describe.skipIf(there.length === 0)('the abbreviation of a time zone', () => {
  test.each(there)('in %s is what date(1) says', (zone) => {
    const before = process.env.TZ;
    process.env.TZ = zone;
    try {
      const file = fs.readFileSync(`/usr/share/zoneinfo/${zone}`);
      for (const seconds of times) {
        const env = { ...process.env, TZ: zone };
        const expected = execFileSync('date', ['-d', `@${seconds}`, '+%Z'], { encoding: 'utf8', env }).trim();
        expect(`${seconds} ${abbreviation(file, seconds)}`).toBe(`${seconds} ${expected}`);
      }
    } finally {
      if (before === undefined) delete process.env.TZ;
      else process.env.TZ = before;
    }
  });

  test('is unknown if the file does not describe a time zone', () => {
    expect(abbreviation(Buffer.from('not a zone'), 0)).toBeUndefined();
  });
});
