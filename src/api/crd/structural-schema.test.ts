import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { toStructuralSchema } from './structural-schema.ts';

const fieldOf = (field: z.ZodType): unknown => toStructuralSchema(z.object({ field })).properties?.['field'];

describe('toStructuralSchema', () => {
  test.each([
    ['a text', z.string().min(1).max(9), { type: 'string', minLength: 1, maxLength: 9 }],
    ['a whole number, without the bounds of JavaScript', z.int(), { type: 'integer', format: 'int64' }],
    ['a whole number from one to another', z.int().min(0).max(5), { type: 'integer', format: 'int64', minimum: 0, maximum: 5 }],
    ['a number', z.number().min(0).max(1), { type: 'number', minimum: 0, maximum: 1 }],
    ['a time, without an expression', z.iso.datetime({ offset: true }), { type: 'string', format: 'date-time' }],
    ['words', z.enum(['A', 'B']), { type: 'string', enum: ['A', 'B'] }],
    ['what may be null', z.string().nullable(), { type: 'string', nullable: true }],
    ['labels', z.record(z.string(), z.string()), { type: 'object', additionalProperties: { type: 'string' } }],
    ['a default', z.boolean().default(true), { type: 'boolean', default: true }],
    ['integer or text', z.union([z.int(), z.string()]), { 'x-kubernetes-int-or-string': true }],
    ['a description', z.boolean().meta({ description: 'Whether.' }), { type: 'boolean', description: 'Whether.' }],
    [
      'rules and kinds of list of the API server',
      z.array(z.string()).meta({ 'x-kubernetes-list-type': 'set', 'x-kubernetes-validations': [{ rule: 'true' }] }),
      { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set', 'x-kubernetes-validations': [{ rule: 'true' }] },
    ],
    [
      'an object in a list, with what is required of it',
      z.array(z.object({ a: z.string(), b: z.string().optional() })),
      { type: 'array', items: { type: 'object', required: ['a'], properties: { a: { type: 'string' }, b: { type: 'string' } } } },
    ],
  ])('%s', (_what, schema, expected) => {
    expect(fieldOf(schema)).toEqual(expected);
  });

  test('an optional field is not required', () => {
    expect(toStructuralSchema(z.object({ a: z.string().optional() }))).not.toHaveProperty('required');
  });

  test.each([
    ['a union', z.union([z.string(), z.boolean()]), /^field: a union/],
    ['a union of three with integer and text', z.union([z.int(), z.string(), z.boolean()]), /^field: a union/],
    ['integer or text, within bounds', z.union([z.int().min(0), z.string()]), /^field: a union/],
    ['a discriminated union', z.discriminatedUnion('a', [z.object({ a: z.literal('x') }), z.object({ a: z.literal('y') })]), /^field: /],
    ['any value', z.unknown(), /^field: without a type/],
    ['a loose object', z.looseObject({ a: z.string() }), /^field\.\*: without a type/],
    ['a strict object', z.strictObject({ a: z.string() }), /^field: a strictObject/],
    ['a mapping to anything', z.record(z.string(), z.unknown()), /^field\.\*: without a type/],
    ['a reference', z.object({ a: z.string() }).meta({ id: 'shared' }), /"definitions"/],
    ['a tuple', z.tuple([z.string(), z.int()]), /field: a tuple/],
    ['a date', z.date(), /[Dd]ate/],
    ['a bad one deep inside', z.array(z.object({ a: z.object({ b: z.unknown() }) })), /^field\[\]\.a\.b: without a type/],
    ['metadata that is none of Kubernetes', z.string().meta({ title: 'A' }), /^field: "title"/],
  ])('refuses %s', (_what, schema, message) => {
    expect(() => fieldOf(schema)).toThrow(message);
  });
});
