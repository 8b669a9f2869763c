import { describe, expect, test } from 'vitest';
import { ReportCache } from './report-cache.ts';

describe('reports that many nodes ask for', () => {
  test('are kept by the scanner and database that they are by, and by no other', () => {
    const cache = new ReportCache(100, () => 0);
    cache.use('monday');
    cache.set('a', 'report');
    cache.use('monday');
    expect(cache.get('a')).toBe('report');
    cache.use('tuesday');
    expect(cache.get('a')).toBeNull();
    // What is forgotten takes no room.
    for (const by of ['monday', 'tuesday', 'wednesday']) {
      cache.use(by);
      cache.set('a', 'x'.repeat(100));
      expect(cache.get('a')).not.toBeNull();
    }
  });

  test('are no more than there is room for: what was asked for longest ago goes', () => {
    const cache = new ReportCache(20, () => 0);
    cache.set('a', 'x'.repeat(8));
    cache.set('b', 'x'.repeat(8));
    cache.get('a');
    cache.set('c', 'x'.repeat(8));
    expect(['a', 'b', 'c'].map((id) => cache.get(id) !== null)).toEqual([true, false, true]);
    cache.set('a', 'x'.repeat(21));
    expect(['a', 'b', 'c'].map((id) => cache.get(id) !== null)).toEqual([false, false, false]);
    cache.set('a', 'x'.repeat(20));
    expect(cache.get('a')).not.toBeNull();
  });

  test('are asked for anew after an hour', () => {
    let now = 0;
    const cache = new ReportCache(100, () => now);
    cache.set('a', 'report');
    now = 3_600_000;
    expect(cache.get('a')).toBe('report');
    now += 1;
    expect(cache.get('a')).toBeNull();
    cache.set('a', 'another');
    expect(cache.get('a')).toBe('another');
  });
});
