import { InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../platform/duration.ts';
import { parseQuantity } from '../platform/quantity.ts';
import type { GivenDiskLimit, TimeBound } from './parsed-options.ts';

/** What the texts of options are parsed with; each throws commander's error, which names the option and the text. */

export function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}

/** Flags of another program, which begin with dashes. */
export function collectFlags(value: string, previous: string[] = []): string[] {
  return [...previous, value];
}

/** An option with a default as a user would write it. */
export function durationOption(flags: string, description: string, byDefault: string): Option {
  return new Option(flags, description).argParser(duration).default(duration(byDefault), byDefault);
}

export function duration(text: string): number {
  return parsed(parseDuration, text);
}

/** A duration, or 0 for none. */
export function durationOrNone(text: string): number {
  const result = parseDuration(text);
  if (!result.ok) throw new InvalidArgumentError(result.message);
  return result.value;
}

/** `85%` of the filesystem, or bytes such as `40Gi`. */
export function diskLimit(text: string): GivenDiskLimit {
  if (!text.trim().endsWith('%')) return { unit: 'bytes', value: parsed(parseDiskBytes, text), given: text };
  const percent = /^\d{1,3}(?:\.\d{1,6})?%$/.test(text) ? Number(text.slice(0, -1)) : Number.NaN;
  if (!(percent > 0 && percent < 100)) throw new InvalidArgumentError('Allowed are more than 0% and less than 100% of the filesystem.');
  return { unit: 'percent', value: percent, given: text };
}

function parseDiskBytes(text: string): Parsed {
  const result = parseQuantity(text);
  return result.ok ? result : { ok: false, message: `${result.message} Or a part of the filesystem, such as 85%.` };
}

export function quantity(text: string): number {
  return parsed(parseQuantity, text);
}

/** `2026-11-01`, `2026-11-01T03:00:00Z`, or how long ago: `7d`. A date without a time is its first moment, in UTC. */
export function timeBound(text: string): TimeBound {
  const ago = parseDuration(text);
  if (ago.ok) return { ago: ago.value };
  const [, date = ''] = DATE_OR_TIME.exec(text) ?? [];
  // The calendar has the day: others are taken for one of the next month.
  const isDay = date !== '' && !Number.isNaN(Date.parse(date)) && new Date(date).toISOString().startsWith(date);
  const at = isDay ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(at)) return { at };
  throw new InvalidArgumentError('Allowed are a date (2026-11-01), a time (2026-11-01T03:00:00Z), or how long ago (7d, 12h).');
}

const DATE_OR_TIME = /^(\d{4}-\d\d-\d\d)(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/;

/** The address of a server; a user and a password in it would show in the list of processes. */
export function serverUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isServer =
    url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (!isServer) throw new InvalidArgumentError('Allowed is http://HOST:PORT or https://HOST:PORT, with a path or without.');
  return text;
}

/** The number of a run, as the history counts them. */
export function runNumber(text: string): number {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  if (number < 1) throw new InvalidArgumentError('A run is a whole number, as `image-cleaner history` lists them.');
  return number;
}

type Parsed = { readonly ok: true; readonly value: number } | { readonly ok: false; readonly message: string };

function parsed(parse: (text: string) => Parsed, text: string): number {
  const result = parse(text);
  if (!result.ok) throw new InvalidArgumentError(result.message);
  if (result.value <= 0) throw new InvalidArgumentError('It must be more than zero.');
  return result.value;
}

export function positiveInteger(text: string): number {
  const number = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (number < 1) throw new InvalidArgumentError('Allowed are whole numbers from 1 to 9999.');
  return number;
}

/** A comma-separated list of allowed words, in any case. */
export function list<Word extends string>(allowed: readonly Word[], letters: 'upper' | 'lower'): (text: string) => Word[] {
  return (text) =>
    text.split(',').map((part) => {
      const wanted = letters === 'upper' ? part.trim().toUpperCase() : part.trim().toLowerCase();
      const word = allowed.find((candidate) => candidate === wanted);
      if (word === undefined) throw new InvalidArgumentError(`"${part.trim()}" is none of ${allowed.join(', ')}.`);
      return word;
    });
}
