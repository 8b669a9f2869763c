import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from './duration.ts';

describe('parseDuration', () => {
  it.each([
    ['0', 0],
    ['0s', 0],
    ['+5s', 5_000],
    ['24h', 86_400_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['1.1h', 3_960_000],
    ['.5m', 30_000],
    ['1.s', 1_000],
    ['250ms', 250],
    ['1500us', 1.5],
    ['1500µs', 1.5],
    ['1500μs', 1.5],
    ['1ns', 0.000001],
    ['7d', 604_800_000],
    ['2w', 1_209_600_000],
    ['1m1m', 120_000],
    ['2562047h', 9_223_369_200_000],
  ])('%s is %d ms', (text, value) => {
    expect(parseDuration(text)).toEqual({ ok: true, value });
  });

  it.each(['', ' ', '5', '1.5', 's', '.s', '1 h', '1h ', 'h1', '1y', '1H', '1e3s', '++1s', 'forever', '1h30'])('refuses %j', (text) => {
    const parsed = parseDuration(text);
    expect(parsed).toMatchObject({ ok: false, message: expect.stringContaining('1h30m') as string });
  });

  it('refuses a negative duration and says so', () => {
    expect(parseDuration('-1h')).toMatchObject({ ok: false, message: expect.stringContaining('negative') as string });
  });

  it('refuses what Go cannot hold', () => {
    expect(parseDuration('2562048h')).toMatchObject({ ok: false, message: expect.stringContaining('292 years') as string });
    expect(parseDuration(`${'9'.repeat(500)}ns`)).toMatchObject({ ok: false });
  });

  it('never throws and never gives NaN, a negative or an infinite number', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[-+]?([0-9.]{0,8}(ns|us|ms|s|m|h|d|w|x)){0,4}$/)), (text) => {
        const parsed = parseDuration(text);
        if (parsed.ok) expect(Number.isFinite(parsed.value) && parsed.value >= 0).toBe(true);
      }),
    );
  });
});

describe('formatDuration', () => {
  it.each([
    [0, '0s'],
    [0.4, '0s'],
    [1, '1ms'],
    [1_500, '1s500ms'],
    [45_000, '45s'],
    [5_400_000, '1h30m'],
    [86_400_000, '1d'],
    [129_600_000, '1d12h'],
    [-60_000, '-1m'],
    [59_999.7, '1m'],
  ])('%d ms is %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it('is read back by parseDuration', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9_000_000_000_000 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toEqual({ ok: true, value: ms });
      }),
    );
  });
});
