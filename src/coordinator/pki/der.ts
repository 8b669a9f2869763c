/** ASN.1 values in DER, as far as certificates need them (X.690). Each is whole: tag, length, content. */

const TAGS = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

export function sequence(...items: readonly Buffer[]): Buffer {
  return value(TAGS.sequence, ...items);
}

export function set(...items: readonly Buffer[]): Buffer {
  return value(TAGS.set, ...items);
}

export function boolean(isTrue: boolean): Buffer {
  return value(TAGS.boolean, Buffer.from([isTrue ? 0xff : 0x00]));
}

/** Not negative, most significant byte first. */
export function integer(magnitude: Buffer): Buffer {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start += 1;
  const shortest = magnitude.subarray(start);
  const isNegativeAsIs = ((shortest[0] ?? 0) & 0x80) !== 0;
  return value(TAGS.integer, ...(isNegativeAsIs || shortest.length === 0 ? [Buffer.from([0])] : []), shortest);
}

export function bitString(bits: Buffer, unusedBits = 0): Buffer {
  return value(TAGS.bitString, Buffer.from([unusedBits]), bits);
}

export function octetString(bytes: Buffer): Buffer {
  return value(TAGS.octetString, bytes);
}

export function utf8String(text: string): Buffer {
  return value(TAGS.utf8String, Buffer.from(text));
}

/** `1.2.840.10045.2.1`. */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return value(TAGS.objectIdentifier, Buffer.from([first * 40 + second, ...rest.flatMap(inBase128)]));
}

/** To the second; which of the two forms goes by the year (RFC 5280, 4.1.2.5). */
export function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  const fits = new Date(ms).getUTCFullYear() < 2050;
  return fits ? value(TAGS.utcTime, Buffer.from(digits.slice(2))) : value(TAGS.generalizedTime, Buffer.from(digits));
}

/** A field that is known by its number: `[3]`. With `constructed`, its content is whole values, else the bare content of one. */
export function tagged(number: number, content: Buffer, { constructed }: { readonly constructed: boolean }): Buffer {
  return value((constructed ? 0xa0 : 0x80) | number, content);
}

function value(tag: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.from([tag]), lengthOf(body.length), body]);
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.from([0x80 | bytes.length, ...bytes]);
}

function inBase128(number: number): number[] {
  const bytes = [number % 128];
  for (let rest = Math.floor(number / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift(0x80 | (rest % 128));
  return bytes;
}
