import { formatDefault, formatType } from './format-field.ts';

/** The part of JSON Schema (as zod makes it, for OpenAPI 3.0) that reference pages are made of. */
export interface FieldSchema {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, FieldSchema>>;
  readonly required?: readonly string[];
  readonly items?: FieldSchema;
  readonly additionalProperties?: FieldSchema | boolean;
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly byDefault?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
}

export interface FieldRow {
  /** `spec.images`, `components.scanner.volumes[].name`. */
  readonly path: string;
  readonly type: string;
  /** null: it has none. */
  readonly default: string | null;
  readonly required: boolean;
  readonly meaning: string;
}

/** One row for each field, in the order of the schema. Throws when a field has no description. */
export function fieldRows(schema: FieldSchema, below = ''): FieldRow[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, field]) => {
    const path = `${below}${key}`;
    if (field.description === undefined) throw new Error(`${path} has no description`);
    const row = {
      path,
      type: formatType(field),
      default: 'byDefault' in field ? formatDefault(field) : null,
      required: schema.required?.includes(key) ?? false,
      meaning: field.description,
    };
    return [row, ...fieldRows(field, `${path}.`), ...(field.items === undefined ? [] : fieldRows(field.items, `${path}[].`))];
  });
}
