import * as z from 'zod';
import { shorten } from '../problem.ts';
import { nearestKey } from './nearest-key.ts';

/**
 * The schemas that a configuration is made of. Every message names the value and what is allowed; the path is put before it. Their metadata
 * (`description`, `byDefault`, and `enum` and `format` where the input is a text) is what the reference page is made of.
 */

export type ParsedText<Value> =
  { readonly ok: true; readonly value: Value } | { readonly ok: false; /** What is allowed. */ readonly message: string };

/** How texts are read; arguments, so that this room needs no other. */
export interface TextParsers {
  /** To milliseconds. */
  readonly duration: (text: string) => ParsedText<number>;
  /** A Kubernetes quantity. */
  readonly quantity: (text: string) => ParsedText<number>;
  /** One YAML document to plain values; null when it is empty. */
  readonly yaml: (text: string) => ParsedText<unknown>;
}

interface ValueIssue {
  readonly input?: unknown;
}

export const isNot =
  (allowed: string) =>
  ({ input }: ValueIssue): string =>
    input === undefined ? `is missing; it must be ${allowed}` : `${showValue(input)} is not ${allowed}`;

function showValue(value: unknown): string {
  if (value === null) return 'an empty value';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  const text = typeof value === 'number' || typeof value === 'boolean' ? String(value) : JSON.stringify(value);
  return shorten(text);
}

/** Absent, or without a value as in `request:` with all lines below it commented out: then the default holds, as in Eraser. */
export function orElse<Schema extends z.ZodType, Default>(schema: Schema, byDefault: Default) {
  return schema
    .nullish()
    .transform((value) => value ?? byDefault)
    .meta({ byDefault });
}

export interface SectionOptions {
  /** What to say of a key that is not there, rather than the nearest one that is. */
  readonly hints?: Readonly<Record<string, string>>;
  readonly allowed?: string;
}

/** A mapping whose keys are all known; absent, it is that of all defaults. */
export function section<Shape extends z.ZodRawShape>(shape: Shape, options: SectionOptions = {}) {
  const object = z.strictObject(shape, { error: (issue) => explainMapping(issue, Object.keys(shape), options) });
  return object.nullish().transform((value) => value ?? object.parse({}));
}

/** One line per unknown key, in the order of the issue's keys. */
export function explainMapping(issue: z.core.$ZodRawIssue, known: readonly string[], options: SectionOptions): string {
  if (issue.code !== 'unrecognized_keys') return isNot(options.allowed ?? 'a mapping')(issue);
  return issue.keys.map((key) => explainUnknownKey(key, known, options.hints ?? {})).join('\n');
}

function explainUnknownKey(key: string, known: readonly string[], hints: Readonly<Record<string, string>>): string {
  const hint = Object.hasOwn(hints, key) ? hints[key] : undefined;
  if (hint !== undefined) return `unknown; ${hint}`;
  const nearest = nearestKey(key, known);
  return nearest === null ? `unknown; known are ${known.join(', ')}` : `unknown; did you mean ${nearest}?`;
}

export const flag = z.boolean({ error: isNot('true or false') });

export const text = z.string({ error: isNot('a text; put numbers and the like in quotes') });

/** The check of zod for a length would also be made of a list, of which it is told that it is no text. */
export const filledText = text.refine((value) => value !== '', { error: 'is empty; it must be a text' }).meta({ minLength: 1 });

export function numberBetween(least: number, most: number) {
  const error = isNot(`a number from ${least} to ${most}`);
  return z.number({ error }).min(least, { error }).max(most, { error });
}

export function wholeNumberBetween(least: number, most: number) {
  const error = isNot(`a whole number from ${least} to ${most}`);
  return z.int({ error }).min(least, { error }).max(most, { error });
}

/** As Kubernetes takes `maxUnavailable`: a number from 1, or a percentage from `1%` to `100%`. */
export const countOrShare = z
  .custom<string | number>((value) => ['string', 'number'].includes(typeof value) && COUNT_OR_SHARE.test(String(value)), {
    error: isNot('a whole number from 1, such as 20, or a percentage from 1% to 100%, such as "10%"'),
  })
  .meta({ format: 'count-or-share' });

const COUNT_OR_SHARE = /^([1-9][0-9]{0,8}|([1-9][0-9]?|100)%)$/;

/** The same where none is a value, too. */
export const countOrShareFromNone = z
  .custom<string | number>((value) => value === 0 || value === '0' || value === '0%' || countOrShare.safeParse(value).success, {
    error: isNot('a whole number from 0, such as 5, or a percentage from 0% to 100%, such as "10%"'),
  })
  .meta({ format: 'count-or-share-from-none' });

/** One of some words, in any case. */
export function word<const Word extends string>(words: readonly Word[], note = '') {
  const allowed = `one of ${words.join(', ')}${note}`;
  return z
    .string({ error: isNot(allowed) })
    .transform((given, context) => {
      const found = words.find((candidate) => candidate.toLowerCase() === given.toLowerCase());
      if (found === undefined) context.addIssue({ code: 'custom', message: isNot(allowed)({ input: given }) });
      return found ?? z.NEVER;
    })
    .meta({ enum: words });
}

export function listOf<Item extends z.ZodType>(item: Item) {
  return z.array(item, { error: isNot('a list') });
}

export function duration(parsers: TextParsers) {
  return z
    .string({ error: isNot('a duration with its unit, such as 24h or 90m') })
    .transform((given, context) => {
      const parsed = parsers.duration(given);
      if (!parsed.ok) context.addIssue({ code: 'custom', message: `${isNot('a duration')({ input: given })}. ${parsed.message}` });
      return parsed.ok ? parsed.value : z.NEVER;
    })
    .meta({ format: 'duration' });
}

export function durationAboveZero(parsers: TextParsers) {
  return duration(parsers).refine((ms) => ms > 0, { error: isNot('a duration longer than zero') });
}

export function quantity(parsers: TextParsers) {
  const isGiven = (value: unknown): value is string | number => typeof value === 'string' || typeof value === 'number';
  return z
    .custom<string | number>(isGiven, { error: isNot('a quantity, such as 500Mi') })
    .transform((given, context) => {
      const parsed = parsers.quantity(String(given));
      if (!parsed.ok) context.addIssue({ code: 'custom', message: `${isNot('a quantity')({ input: given })}. ${parsed.message}` });
      return parsed.ok ? parsed.value : z.NEVER;
    })
    .meta({ format: 'quantity' });
}
