import * as z from 'zod';

/** A schema as a CustomResourceDefinition takes it ("structural"): every value has one type, and no keywords choose between shapes. */
export interface StructuralSchema {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly items?: StructuralSchema;
  readonly additionalProperties?: StructuralSchema;
  readonly [keyword: string]: unknown;
}

type JsonSchema = Readonly<Record<string, unknown>>;

/** Passed on as they are, like all that begins with `x-kubernetes-`. */
const KEYWORDS = new Set([
  'type',
  'description',
  'required',
  'enum',
  'format',
  'pattern',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minimum',
  'maximum',
  'nullable',
  'default',
]);

/**
 * The structural schema of what a zod schema takes. Refinements are not in it: where the API server is to check them, the schema's metadata has
 * `x-kubernetes-validations`. Throws, naming the path, on what a structural schema cannot express: unions (but for integer or text), any value, objects with
 * further keys of any kind or with none allowed (`looseObject`, `strictObject`; unknown fields are for the API server to prune), tuples, references.
 */
export function toStructuralSchema(schema: z.ZodType): StructuralSchema {
  return structure(z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input', override: refuseTuple }), '');
}

/** In this dialect a tuple becomes a list of any of its types, in any order. */
function refuseTuple({ zodSchema, path }: { readonly zodSchema: z.core.$ZodType; readonly path: readonly PropertyKey[] }): void {
  if (zodSchema._zod.def.type === 'tuple') throw new Error(`${path.map(String).join('.')}: a tuple cannot be in a structural schema`);
}

function structure(json: JsonSchema, path: string): StructuralSchema {
  const at = path === '' ? 'the schema' : path;
  const { anyOf, type, properties, items, additionalProperties, ...keywords } = json;
  if (anyOf !== undefined && isIntOrString(anyOf)) return { ...passOn(keywords, at), 'x-kubernetes-int-or-string': true };
  if (anyOf !== undefined) throw new Error(`${at}: a union cannot be in a structural schema, but for integer or text`);
  if (typeof type !== 'string') throw new Error(`${at}: without a type it cannot be in a structural schema`);
  return {
    ...passOn({ type, ...withoutZodsOwn(type, keywords) }, at),
    ...(properties === undefined ? {} : { properties: structureProperties(properties as Readonly<Record<string, JsonSchema>>, path) }),
    ...(items === undefined ? {} : { items: structure(items as JsonSchema, `${path}[]`) }),
    ...(additionalProperties === undefined ? {} : { additionalProperties: structureRest(additionalProperties, path) }),
  };
}

function structureProperties(properties: Readonly<Record<string, JsonSchema>>, path: string): Record<string, StructuralSchema> {
  return Object.fromEntries(Object.entries(properties).map(([key, json]) => [key, structure(json, path === '' ? key : `${path}.${key}`)]));
}

function structureRest(json: unknown, path: string): StructuralSchema {
  if (json === false) throw new Error(`${path}: a strictObject cannot be in a structural schema; use z.object`);
  return structure(json as JsonSchema, `${path}.*`);
}

/** Nothing more can be said of either: what a schema says besides must not be lost. */
function isIntOrString(anyOf: unknown): boolean {
  const types = (anyOf as readonly JsonSchema[]).map(({ type, ...keywords }) => (isEmpty(withoutZodsOwn('', keywords)) ? type : null));
  return types.length === 2 && types.includes('integer') && types.includes('string');
}

function isEmpty(json: JsonSchema): boolean {
  return Object.keys(json).length === 0;
}

/** What zod adds of its own: the bounds of JavaScript's whole numbers, and an expression for times, which their format says already. */
function withoutZodsOwn(type: string, keywords: JsonSchema): JsonSchema {
  const { minimum, maximum, pattern, ...others } = keywords;
  const bounds = {
    ...(minimum === undefined || minimum === Number.MIN_SAFE_INTEGER ? {} : { minimum }),
    ...(maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? {} : { maximum }),
  };
  const expression = pattern === undefined || others['format'] === 'date-time' ? {} : { pattern };
  return { ...others, ...(type === 'integer' ? { format: 'int64' } : {}), ...bounds, ...expression };
}

function passOn(keywords: JsonSchema, at: string): JsonSchema {
  const foreign = Object.keys(keywords).find((keyword) => !KEYWORDS.has(keyword) && !keyword.startsWith('x-kubernetes-'));
  if (foreign !== undefined) throw new Error(`${at}: "${foreign}" cannot be in a structural schema`);
  return keywords;
}
