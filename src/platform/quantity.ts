export type ParsedQuantity =
  /** Finite and never negative; a fraction where the text has one (`100m` is 0.1). */
  { readonly ok: true; readonly value: number } | { readonly ok: false; readonly message: string };

/** Powers of ten (n to E) and of 1024 (Ki to Ei), as in Kubernetes' `resource.Quantity` (apimachinery, quantity.go). */
const DECIMAL_EXPONENTS = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 } as const;
const BINARY_EXPONENTS = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 } as const;

/** Sign, digits, fraction, then a suffix or an exponent, never both: `12E` is 12 exa, `12E3` is 12,000. */
const QUANTITY = /^([+-]?)(\d*)(?:\.(\d*))?(?:([KMGTPE]i)|[eE]([+-]?\d{1,4})|([numkMGTPE]?))$/;
const LONGEST = 100;
const ALLOWED =
  'Allowed are numbers with a unit, such as 500Mi, 1.5Gi or 2G (Ki to Ei: powers of 1024; k to E, and m, u, n: powers of 1000).';

/**
 * Parses a Kubernetes quantity (`500Mi`, `1.5Gi`, `2G`, `100m`, `1e3`, `12E`) to a number, for sizes in bytes. Differs from Kubernetes in
 * what a size cannot be: negative. What is beyond 2^53 is rounded to the nearest double, where Kubernetes caps at 2^63 - 1.
 */
export function parseQuantity(text: string): ParsedQuantity {
  const match = text.length > LONGEST ? null : QUANTITY.exec(text);
  const [, sign = '', whole = '', fraction = '', binary, exponent, decimal = ''] = match ?? [];
  if (match === null || (whole === '' && fraction === '')) return { ok: false, message: ALLOWED };
  const value = scale(`${whole}.${fraction}`, { binary, exponent, decimal });
  if (sign === '-' && value !== 0) return { ok: false, message: `A quantity cannot be negative. ${ALLOWED}` };
  return Number.isFinite(value) ? { ok: true, value } : { ok: false, message: `It is too large. ${ALLOWED}` };
}

interface Suffix {
  readonly binary: string | undefined;
  readonly exponent: string | undefined;
  readonly decimal: string;
}

/** Powers of ten go through the number parser, which rounds once: 1.1 × 10^9 in floating point is not 1100000000. */
function scale(digits: string, { binary, exponent, decimal }: Suffix): number {
  const mantissa = digits.startsWith('.') ? `0${digits}` : digits;
  if (binary !== undefined) return Number(mantissa) * 2 ** BINARY_EXPONENTS[binary as keyof typeof BINARY_EXPONENTS];
  return Number(`${mantissa}e${exponent ?? String(DECIMAL_EXPONENTS[decimal as keyof typeof DECIMAL_EXPONENTS])}`);
}

const BYTE_UNITS = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] as const;

/** Bytes for people, in powers of 1024 with one decimal: `0 B`, `512 B`, `1.4 GiB`. */
export function formatBytes(bytes: number): string {
  const sign = bytes < 0 ? '-' : '';
  let amount = Math.round(Math.abs(bytes));
  if (amount < 1024) return `${amount === 0 ? '' : sign}${amount} B`;
  let unit = '';
  for (unit of BYTE_UNITS) {
    amount /= 1024;
    // 1023.96 KiB would be written as 1024.0 KiB.
    if (amount < 1023.95) break;
  }
  return `${sign}${amount.toFixed(1)} ${unit}`;
}
