import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { OWN_CONTAINERS } from '../../../test/fakes/cluster.ts';
import { acceptConfiguration } from '../../core/cluster/accept-configuration.ts';
import { parseDuration } from '../../platform/duration.ts';
import { parseYaml } from '../../platform/parse-yaml.ts';
import { parseQuantity } from '../../platform/quantity.ts';
import { formatPath, type Problem } from '../problem.ts';
import type { TextParsers } from './config-values.ts';
import { API_VERSIONS, v1alpha1Schema, v1alpha2Schema, v1alpha3Schema, type ApiVersion } from './config-versions.ts';
import { trivyConfigSchema } from './trivy-config.ts';

const parsers: TextParsers = { duration: parseDuration, quantity: parseQuantity, yaml: parseYaml };
const SCHEMAS = { 'eraser.sh/v1alpha1': v1alpha1Schema, 'eraser.sh/v1alpha2': v1alpha2Schema, 'eraser.sh/v1alpha3': v1alpha3Schema };
/** A key that no section has. */
const UNKNOWN = 'zzzzzzzz';
const SCANNER_CONFIG = ['components', 'scanner', 'config'] as const;

/** Whatever they hold is not read: there is nothing to refuse. */
const UNREAD = [
  'health',
  'metrics',
  'webhook',
  'leaderElection',
  'manager.extraScannerVolumes',
  'manager.extraScannerVolumeMounts',
  'components.scanner.config.runtime',
];

interface FieldSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, FieldSchema>>;
  readonly items?: FieldSchema;
  readonly additionalProperties?: FieldSchema | false;
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly minItems?: number;
  readonly pattern?: string;
}

interface BadCase {
  readonly path: readonly PropertyKey[];
  readonly value: unknown;
  /** What the message says besides the path: of what is allowed, all of these. */
  readonly says: readonly (string | RegExp)[];
}

function fieldsOf(schema: z.ZodType): FieldSchema {
  return z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input', unrepresentable: 'any' }) as FieldSchema;
}

/** Each field with all that is bad for it. A field of a kind that nothing is known of is an error: nobody forgets one. */
function casesOf(field: FieldSchema, path: readonly PropertyKey[]): BadCase[] {
  const { items, additionalProperties: values, properties = {} } = field;
  // Of what is no configuration at all there are tests beside this.
  const own = path.length === 0 ? [] : badValuesOf(field, path).map(([value, ...says]): BadCase => ({ path, value, says }));
  if (path.length > 0 && own.length === 0 && !UNREAD.includes(formatPath(path)))
    throw new Error(`nothing bad is known for ${formatPath(path)}`);
  const unknown = { path: [...path, UNKNOWN], value: 1, says: ['unknown; known are', ...Object.keys(properties)] };
  return [
    ...own,
    ...(items === undefined ? [] : casesOf(items, [...path, 0])),
    ...(typeof values === 'object' ? casesOf(values, [...path, 'key']) : []),
    ...(field.properties === undefined ? [] : [unknown]),
    ...Object.entries(properties).flatMap(([key, inner]) =>
      path.length === 0 && ['apiVersion', 'kind'].includes(key) ? [] : casesOf(inner, [...path, key]),
    ),
  ];
}

type BadValue = readonly [value: unknown, ...says: (string | RegExp)[]];

/** By kind, with what the message says. */
function badValuesOf(field: FieldSchema, path: readonly PropertyKey[]): BadValue[] {
  if (path[0] === 'components' && path.length === 3 && path[2] === 'config') return badTexts('a text that holds YAML');
  switch (field.format ?? field.type) {
    case 'duration':
      return [24, true, [], {}].map((value): BadValue => [value, 'is not a duration with its unit, such as 24h']).concat(badDurations());
    case 'quantity':
      return [
        ...[true, [], {}].map((value): BadValue => [value, 'is not a quantity, such as 500Mi']),
        ...['', 'much', '-1', -1, '1e99999', 'NaN'].map((value): BadValue => [value, 'is not a quantity', /\. .+/]),
      ];
    case 'count-or-share':
      return ['', 0, -1, 1.5, '0%', '101%', '10 %', 'half', '1e9', [], {}, true].map((value) => [
        value,
        'is not a whole number from 1, such as 20, or a percentage from 1% to 100%',
      ]);
    case 'count-or-share-from-none':
      return ['', -1, 0.5, '-0', '00', '101%', '5 %', 'none', '1e9', [], {}, true].map((value) => [
        value,
        'is not a whole number from 0, such as 5, or a percentage from 0% to 100%',
      ]);
    case 'string':
      return field.enum === undefined ? badTextsOf(field) : badWords(field.enum);
    case 'boolean':
      return ['true', '', 1, 0, [], {}].map((value) => [value, 'is not true or false']);
    case 'integer':
    case 'number':
      return badNumbers(field);
    case 'array':
      return [
        ...['a', 1, true, {}].map((value): BadValue => [value, 'is not a list']),
        ...(field.minItems === undefined ? [] : [[[], 'is empty; name one or more of'] as const]),
      ];
    case 'object':
      return ['a', '', 1, true, []].map((value) => [value, 'is not a mapping']);
    default:
      return [];
  }
}

function badDurations(): BadValue[] {
  return ['', '5 minutes', '24', '-1h', '1h-1m', 'NaNh', '1y'].map((value) => [value, 'is not a duration', /\. .+/]);
}

function badTexts(allowed: string): BadValue[] {
  return [1, true, [], {}].map((value) => [value, `is not ${allowed}`]);
}

function badTextsOf({ minLength, pattern }: FieldSchema): BadValue[] {
  const empty: BadValue[] = minLength === undefined ? [] : [['', 'is empty']];
  const shape: BadValue[] = pattern === undefined ? [] : [['no such thing', /is not (an absolute path|the address of a socket, such as)/]];
  return [...badTexts('a text; put numbers and the like in quotes'), ...empty, ...shape];
}

function badWords(words: readonly unknown[]): BadValue[] {
  return ['', 'nonsense', 1, true, [], {}].map((value) => [value, /is not one of/, ...words.map(String)]);
}

function badNumbers({ minimum = NaN, maximum = NaN, type }: FieldSchema): BadValue[] {
  const range = `is not a ${type === 'integer' ? 'whole ' : ''}number from ${String(minimum)} to ${String(maximum)}`;
  const fractions = type === 'integer' ? [minimum + 0.5] : [];
  return [minimum - 1, maximum + 1, 1e300, ...fractions, String(minimum), '', true, [], {}].map((value) => [value, range]);
}

/** A whole configuration of these values alone; what is below `components.scanner.config` is in a text there. */
function configurationWith(apiVersion: ApiVersion, values: readonly Pick<BadCase, 'path' | 'value'>[]): object {
  const configuration = { apiVersion, kind: 'EraserConfig' };
  const inText = values.filter(({ path }) => isInScannerConfig(path));
  for (const { path, value } of values) if (!isInScannerConfig(path)) place(configuration, path, value);
  const text: Record<string, unknown> = {};
  for (const { path, value } of inText) place(text, path.slice(SCANNER_CONFIG.length), value);
  if (inText.length > 0) place(configuration, SCANNER_CONFIG, JSON.stringify(text));
  return configuration;
}

function isInScannerConfig(path: readonly PropertyKey[]): boolean {
  return path.length > SCANNER_CONFIG.length && SCANNER_CONFIG.every((key, at) => path[at] === key);
}

function place(whole: object, path: readonly PropertyKey[], value: unknown): void {
  let at = whole as Record<PropertyKey, unknown>;
  for (const [depth, key] of path.entries()) {
    const next = path[depth + 1];
    at[key] = next === undefined ? value : (at[key] ?? (typeof next === 'number' ? [] : {}));
    at = at[key] as Record<PropertyKey, unknown>;
  }
}

function problemsOf(configuration: object): readonly Problem[] {
  const judged = acceptConfiguration(JSON.stringify(configuration), parsers, OWN_CONTAINERS);
  return judged.ok ? [] : judged.errors;
}

/** What is said of each case, in few configurations: in each are cases of which none is within another. */
function judge(apiVersion: ApiVersion, cases: readonly BadCase[]): Map<BadCase, readonly string[]> {
  const batches: BadCase[][] = [];
  for (const one of cases) {
    const batch = batches.find((placed) => !placed.some(({ path }) => isWithin(path, one.path) || isWithin(one.path, path)));
    if (batch === undefined) batches.push([one]);
    else batch.push(one);
  }
  return new Map(
    batches.flatMap((batch) => {
      const problems = problemsOf(configurationWith(apiVersion, batch));
      const saidOf = ({ path }: BadCase): string[] =>
        problems.filter((problem) => problem.path === formatPath(path)).map(({ message }) => message);
      return batch.map((one): [BadCase, readonly string[]] => [one, saidOf(one)]);
    }),
  );
}

function isWithin(path: readonly PropertyKey[], other: readonly PropertyKey[]): boolean {
  return other.every((key, at) => path[at] === key);
}

describe.each(API_VERSIONS)('every field of %s', (apiVersion) => {
  const scanner = casesOf(fieldsOf(trivyConfigSchema(parsers)), SCANNER_CONFIG).filter(({ path }) => isInScannerConfig(path));
  const all = [...casesOf(fieldsOf(SCHEMAS[apiVersion](parsers)), []), ...scanner];
  const said = judge(apiVersion, all);
  const fields = [...Map.groupBy(all, ({ path }) => formatPath(path))];

  test.each(fields)('%s: what is bad is refused by its path, with what is allowed', (_field, cases) => {
    for (const one of cases) {
      const told = said.get(one) ?? [];
      expect(told, `${formatPath(one.path)}: ${JSON.stringify(one.value)}`).toHaveLength(1);
      for (const text of one.says) expect(told[0]).toMatch(text);
    }
  });

  test('without a value each has its default', () => {
    const paths = fields.flatMap(([, [first]]) => (first === undefined ? [] : [first.path]));
    const optional = paths.filter((path) => !path.some((key) => [0, 'key', UNKNOWN, 'maintenanceWindow'].includes(key as string)));
    const innermost = optional.filter((path) => !optional.some((other) => other !== path && isWithin(other, path)));
    expect(innermost.length).toBeGreaterThan(30);
    expect(
      problemsOf(
        configurationWith(
          apiVersion,
          innermost.map((path) => ({ path, value: null })),
        ),
      ),
    ).toEqual([]);
  });
});
