import { stringify } from 'yaml';
import * as z from 'zod';
import type { FieldSchema } from '../reference/field-rows.ts';
import { chartValuesSchema } from './chart-values.ts';

const INDENT = '  ';
/** The longest line of a comment. */
const WIDTH = 110;

/** The values as a tree: a leaf has a default. */
export function chartFields(): FieldSchema {
  return z.toJSONSchema(chartValuesSchema, { target: 'draft-7', io: 'input' }) as FieldSchema;
}

/** What helm checks values by. */
export function chartSchema(): object {
  return withoutDefaults(chartFields()) as object;
}

/** For people alone: helm would not fill them in. */
function withoutDefaults(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutDefaults);
  if (typeof schema !== 'object' || schema === null) return schema;
  const entries = Object.entries(schema).filter(([key]) => key !== 'byDefault');
  return Object.fromEntries(entries.map(([key, value]) => [key, withoutDefaults(value)]));
}

export function defaultValues(): unknown {
  return defaultOf(chartFields());
}

function defaultOf(field: FieldSchema): unknown {
  if ('byDefault' in field) return field.byDefault;
  return Object.fromEntries(Object.entries(field.properties ?? {}).map(([key, below]) => [key, defaultOf(below)]));
}

/** The paths of what only holds other values. */
export function valueGroups(): string[] {
  const groupsOf = (field: FieldSchema, path: string): string[] =>
    Object.entries(field.properties ?? {}).flatMap(([key, below]) =>
      'byDefault' in below ? [] : [`${path}${key}`, ...groupsOf(below, `${path}${key}.`)],
    );
  return groupsOf(chartFields(), '');
}

/** The file of the defaults, with what each value means. The configuration's own defaults are a comment: users put theirs over it. */
export function valuesFile(configuration: string): string {
  const commented = configuration
    .trimEnd()
    .split('\n')
    .map((line) => `# ${line}`.trimEnd());
  return linesOf(chartFields(), '')
    .flatMap((line) => (line === 'runtimeConfig: {}' ? [line, '# The defaults:', ...commented] : [line]))
    .join('\n')
    .concat('\n');
}

function linesOf(group: FieldSchema, indent: string): string[] {
  return Object.entries(group.properties ?? {}).flatMap(([key, field]) => {
    const comment = wrap(field.description ?? '').map((line) => `${indent}# ${line}`);
    if (!('byDefault' in field)) return [...comment, `${indent}${key}:`, ...linesOf(field, `${indent}${INDENT}`)];
    const lines = stringify({ [key]: field.byDefault })
      .trimEnd()
      .split('\n');
    return [...comment, ...lines.map((line) => `${indent}${line}`)];
  });
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length >= WIDTH) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
