import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatBytes, parseQuantity } from './quantity.ts';

function valueOf(text: string): number {
  const parsed = parseQuantity(text);
  if (!parsed.ok) throw new Error(`${text}: ${parsed.message}`);
  return parsed.value;
}

describe('parseQuantity', () => {
  it.each([
    ['0', 0],
    ['-0', 0],
    ['500Mi', 524_288_000],
    ['1.5Gi', 1_610_612_736],
    ['2G', 2_000_000_000],
    ['1.1G', 1_100_000_000],
    ['100m', 0.1],
    ['5u', 0.000005],
    ['5n', 0.000000005],
    ['7k', 7_000],
    ['1Ki', 1_024],
    ['1e3', 1_000],
    ['1E3', 1_000],
    ['1e+3', 1_000],
    ['1500e-3', 1.5],
    ['12E', 12e18],
    ['1Ei', 2 ** 60],
    ['+1', 1],
    ['.5', 0.5],
    ['5.', 5],
    ['5.Gi', 5 * 2 ** 30],
  ])('%s is %d', (text, value) => {
    expect(parseQuantity(text)).toEqual({ ok: true, value });
  });

  it.each([
    '',
    ' ',
    '.',
    'Mi',
    'e3',
    '1 Gi',
    '1Gi ',
    '1GB',
    '1gi',
    '1K',
    '1ki',
    '1Mi3',
    '1e3Gi',
    '1.2.3',
    '0x10',
    '++1',
    '1e',
    'NaN',
    'Infinity',
  ])('refuses %j', (text) => {
    expect(parseQuantity(text)).toMatchObject({ ok: false, message: expect.stringContaining('500Mi') as string });
  });

  it('refuses a negative quantity and says so', () => {
    expect(parseQuantity('-1Gi')).toMatchObject({ ok: false, message: expect.stringContaining('negative') as string });
  });

  it('refuses what no number holds', () => {
    expect(parseQuantity('1e400')).toMatchObject({ ok: false, message: expect.stringContaining('too large') as string });
    expect(parseQuantity('9'.repeat(5_000))).toMatchObject({ ok: false });
  });

  it('reads every whole number back, in each suffix', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), (count) => {
        expect(valueOf(String(count))).toBe(count);
        expect(valueOf(`${count}Mi`)).toBe(count * 2 ** 20);
        expect(valueOf(`${count}M`)).toBe(count * 1e6);
      }),
    );
  });

  it('is monotone in the number and in the suffix', () => {
    const suffixes = ['n', 'u', 'm', '', 'k', 'Ki', 'M', 'Mi', 'G', 'Gi', 'T', 'Ti', 'P', 'Pi', 'E', 'Ei'];
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.nat(suffixes.length - 1), (a, b, index) => {
        const suffix = suffixes[index] ?? '';
        expect(valueOf(`${Math.min(a, b)}${suffix}`)).toBeLessThanOrEqual(valueOf(`${Math.max(a, b)}${suffix}`));
        expect(valueOf(`${a}${suffix}`)).toBeLessThanOrEqual(valueOf(`${a}${suffixes[index + 1] ?? 'Ei'}`));
      }),
    );
  });

  it('never throws and never gives NaN, a negative or an infinite number', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[-+]?[0-9.]{0,6}[eEnumkKMGTPi]{0,3}[-+0-9]{0,4}$/)), (text) => {
        const parsed = parseQuantity(text);
        if (parsed.ok) expect(Number.isFinite(parsed.value) && parsed.value >= 0).toBe(true);
      }),
    );
  });
});

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [-0, '0 B'],
    [512, '512 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1_503_238_553, '1.4 GiB'],
    [1024 ** 2 - 1, '1.0 MiB'],
    [1024 ** 6, '1.0 EiB'],
    [1024 ** 7, '1024.0 EiB'],
    [-2048, '-2.0 KiB'],
  ])('%d is %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it('is within a twentieth of the number', () => {
    fc.assert(
      fc.property(fc.nat(Number.MAX_SAFE_INTEGER), (bytes) => {
        const [amount = '', unit = ''] = formatBytes(bytes).split(' ');
        const readBack = valueOf(`${amount}${unit.replace('B', '')}`);
        expect(Math.abs(readBack - bytes)).toBeLessThanOrEqual(bytes / 20);
      }),
    );
  });

  it('is monotone as far as it shows', () => {
    const readBack = (bytes: number): number => valueOf(formatBytes(bytes).replace(/ |B$/g, ''));
    fc.assert(
      fc.property(fc.nat(Number.MAX_SAFE_INTEGER), fc.nat(Number.MAX_SAFE_INTEGER), (a, b) => {
        expect(readBack(Math.min(a, b))).toBeLessThanOrEqual(readBack(Math.max(a, b)));
      }),
    );
  });
});
