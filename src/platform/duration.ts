export type ParsedDuration =
  /** `value` in milliseconds; a fraction where the text has less than one, never negative. */
  { readonly ok: true; readonly value: number } | { readonly ok: false; readonly message: string };

const NANOSECONDS = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
  w: 604_800_000_000_000n,
} as const;

// The two letters for micro as escapes: esbuild writes them so in texts but not in patterns, and a source with one takes twice the memory.
const TERM = /(\d*)(?:\.(\d*))?(ns|us|\u00b5s|\u03bcs|ms|s|m|h|d|w)/y;
/** What Go's time.Duration holds, about 292 years: what is longer, Go's reading of the same configuration would refuse. */
const MAX_NANOSECONDS = 2n ** 63n - 1n;
const ALLOWED = 'Allowed are numbers with units, such as 30s, 1h30m, 1.5h or 7d (ns, us, ms, s, m, h, d of 24 hours, w of 7 days).';

/**
 * Parses a duration as Go's time.ParseDuration does (`1h30m`, `1.5h`, `0`), with days and weeks besides, in which nobody means the change
 * to summer time. Negative ones, which Go allows, are refused: nothing here can last less than no time.
 */
export function parseDuration(text: string): ParsedDuration {
  const unsigned = text.startsWith('+') ? text.slice(1) : text;
  if (unsigned === '0') return { ok: true, value: 0 };
  if (unsigned.startsWith('-')) return { ok: false, message: `A duration cannot be negative. ${ALLOWED}` };
  const nanoseconds = unsigned === '' ? null : sumOfTerms(unsigned);
  if (nanoseconds === null) return { ok: false, message: ALLOWED };
  if (nanoseconds > MAX_NANOSECONDS) return { ok: false, message: 'A duration cannot be longer than 292 years (2562047h).' };
  return { ok: true, value: Number(nanoseconds / 1_000_000n) + Number(nanoseconds % 1_000_000n) / 1e6 };
}

/** Exact, in whole numbers: in floating point 1.1h is not 3,960,000 ms. null: the text is no list of numbers with units. */
function sumOfTerms(text: string): bigint | null {
  let total = 0n;
  for (let position = 0; position < text.length; position = TERM.lastIndex) {
    TERM.lastIndex = position;
    const match = TERM.exec(text);
    if (match === null) return null;
    const [, whole = '', fraction = '', unit] = match;
    if (whole === '' && fraction === '') return null;
    // More digits than these are past the limit, or finer than a nanosecond.
    if (whole.length > 30) return MAX_NANOSECONDS + 1n;
    const perUnit = NANOSECONDS[unit as keyof typeof NANOSECONDS];
    const digits = fraction.slice(0, 20);
    total += BigInt(whole) * perUnit + (BigInt(digits) * perUnit) / 10n ** BigInt(digits.length);
  }
  return total;
}

const FORMAT_UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const;

/** Milliseconds, rounded to whole ones, as `parseDuration` reads them back: `1d12h`, `1h30m`, `45s`, `1s500ms`, `0s`. */
export function formatDuration(ms: number): string {
  let rest = Math.round(Math.abs(ms));
  let text = '';
  for (const [unit, length] of FORMAT_UNITS) {
    const count = Math.floor(rest / length);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * length;
  }
  if (text === '') return '0s';
  return ms < 0 ? `-${text}` : text;
}
