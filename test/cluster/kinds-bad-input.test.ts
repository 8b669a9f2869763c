import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { kubectlWith } from '../../lab/kubectl.ts';
import { lacksNodeAccess } from '../../lab/real-cluster.ts';
import { ownFields } from '../../src/api/crd/make-crd.ts';
import { API_GROUP, RESOURCE_VERSIONS, type CustomResource } from '../../src/api/custom-resource.ts';
import { IMAGE_JOB } from '../../src/api/image-job.ts';
import { IMAGE_LIST } from '../../src/api/image-list.ts';
import { formatPath } from '../../src/api/problem.ts';
import { connectRaw, type RawAnswer, type RawApi } from './raw-api.ts';

const NAME = 'bad-input';
const MANY = 10_000;

/** What the API server asks of a field. */
interface FieldSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, FieldSchema>>;
  readonly items?: FieldSchema;
  readonly required?: readonly string[];
  readonly enum?: readonly string[];
  readonly format?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

interface BadValue {
  readonly value: unknown;
  /** What the API server says beside the path. */
  readonly says: string;
}

interface Field {
  readonly path: readonly PropertyKey[];
  readonly schema: FieldSchema;
}

/** Every field with those below it; of a list the fields of its first item. */
function fieldsOf(schema: FieldSchema, path: readonly PropertyKey[] = []): Field[] {
  const below = Object.entries(schema.properties ?? {}).flatMap(([key, field]) => fieldsOf(field, [...path, key]));
  const items = schema.items === undefined ? [] : fieldsOf(schema.items, [...path, 0]);
  return path.length === 0 ? below : [{ path, schema }, ...below, ...items];
}

const ofType = (type: string, values: readonly unknown[]): BadValue[] =>
  values.map((value) => ({ value, says: `must be of type ${type}` }));

/** A type that is not known here is an error: nobody forgets a field. */
function badValuesOf(schema: FieldSchema, path: readonly PropertyKey[]): BadValue[] {
  switch (schema.type) {
    case 'string':
      // The API server asks lists and mappings for no format, and not for their type either, where there is one.
      return [...ofType(schema.format ?? 'string', [1, true, ...(schema.format === undefined ? [[], {}] : [])]), ...badTexts(schema)];
    case 'integer':
      return [...ofType('integer', ['a', '', '1', 1.5, true, [], {}]), ...badNumbers(schema), { value: 1e300, says: '' }];
    case 'array':
      return ofType('array', ['a', '', 1, true, {}]);
    case 'object':
      return [
        ...ofType('object', ['a', '', 1, true, []]),
        { value: { zzzzzzzz: 1 }, says: `unknown field "${formatPath([...path, 'zzzzzzzz'])}"` },
      ];
    default:
      throw new Error(`nothing bad is known for ${formatPath(path)}`);
  }
}

function badTexts({ enum: words, format, minLength, maxLength, pattern }: FieldSchema): BadValue[] {
  return [
    ...(words === undefined ? [] : [{ value: 'Nonsense', says: `supported values: ${words.map((word) => `"${word}"`).join(', ')}` }]),
    ...(format === undefined ? [] : [{ value: 'yesterday', says: `must be of type ${format}` }]),
    ...(minLength === undefined ? [] : [{ value: '', says: `should be at least ${String(minLength)} chars long` }]),
    ...(maxLength === undefined ? [] : [{ value: 'a'.repeat(maxLength + 1), says: 'Too long: may not be more than' }]),
    ...(pattern === undefined ? [] : [{ value: '- -', says: 'should match' }]),
  ];
}

function badNumbers({ minimum, maximum }: FieldSchema): BadValue[] {
  return [
    ...(minimum === undefined ? [] : [{ value: minimum - 1, says: `should be greater than or equal to ${String(minimum)}` }]),
    ...(maximum === undefined ? [] : [{ value: maximum + 1, says: `should be less than or equal to ${String(maximum)}` }]),
  ];
}

function nest([key, ...rest]: readonly PropertyKey[], value: unknown): unknown {
  if (key === undefined) return value;
  return typeof key === 'number' ? [nest(rest, value)] : { [key]: nest(rest, value) };
}

// What the API server says, asked with strict field validation, as kubectl does, and without anything being stored.
describe.skipIf(lacksNodeAccess())('every field of every kind', () => {
  let api: RawApi;
  let home: string;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'image-cleaner-test-kinds-'));
    const kubectl = await kubectlWith({ kubeconfig: inject('kubeconfig'), home });
    const crds = fileURLToPath(new URL('../../deploy/crds', import.meta.url));
    expect(await kubectl(['apply', '-f', crds])).toMatchObject({ code: 0 });
    api = await connectRaw(inject('kubeconfig'));
    for (const kind of [IMAGE_LIST, IMAGE_JOB]) {
      const spec = kind === IMAGE_LIST ? { spec: { images: [] } } : {};
      const object = { apiVersion: `${API_GROUP}/v1`, kind: kind.kind, metadata: { name: NAME }, ...spec };
      await vi.waitFor(async () => expect((await api.ask('POST', pathOf(kind, 'v1'), object)).status).toBe(201), {
        timeout: 20_000,
        interval: 200,
      });
    }
  });
  afterAll(async () => {
    if (lacksNodeAccess()) return;
    for (const kind of [IMAGE_LIST, IMAGE_JOB]) await api.ask('DELETE', pathOf(kind, 'v1', NAME));
    await api.close();
    await rm(home, { recursive: true, force: true });
  });

  const pathOf = ({ plural }: CustomResource, version: string, ...rest: readonly string[]): string =>
    ['', 'apis', API_GROUP, version, plural, ...rest].join('/');

  const place = (kind: CustomResource, version: string, part: unknown): string =>
    pathOf(kind, version, ...(part === 'status' ? [NAME, 'status'] : [NAME]));

  const patch = (
    kind: CustomResource,
    version: string,
    [path, value]: readonly [readonly PropertyKey[], unknown],
    how = 'Strict',
  ): Promise<RawAnswer> => api.ask('PATCH', `${place(kind, version, path[0])}?dryRun=All&fieldValidation=${how}`, nest(path, value));

  const versions = RESOURCE_VERSIONS.map(({ name }) => name);
  const all = [IMAGE_LIST, IMAGE_JOB].flatMap((kind) => versions.map((version) => [kind.kind, version, kind] as const));

  describe.each(all)('%s %s', (_name, version, kind) => {
    const fields = fieldsOf(ownFields(kind));
    const cases = fields.map(({ path, schema }) => [formatPath(path), path, badValuesOf(schema, path)] as const);

    test.each(cases)('%s: what is bad is refused by its path', async (name, path, values) => {
      for (const { value, says } of values) {
        const { status, text } = await patch(kind, version, [path, value]);
        expect({ value, status: [400, 422].includes(status) }, text).toEqual({ value, status: true });
        expect(text).toContain(name);
        expect(text).toContain(says);
      }
    });

    test('what a list or a section must have is asked for by its path', async () => {
      const wanting = fields.flatMap(({ path, schema }) => (schema.required ?? []).map((key) => [path, key] as const));
      for (const [path, key] of wanting) {
        const { status, text } = await patch(kind, version, [path, path[0] === 'spec' ? { [key]: null } : {}]);
        expect(text).toContain(`${formatPath([...path, key])}: Required value`);
        expect(status).toBe(422);
      }
      expect(wanting.length).toBeGreaterThan(4);
    });

    test('an unknown key, where nobody asks for it to be refused, is left out', async () => {
      for (const { path } of fields.filter(
        ({ schema }) => schema.type === 'object' && schema.properties !== undefined && schema.required === undefined,
      )) {
        const { status, text } = await patch(kind, version, [path, { zzzzzzzz: 1 }], 'Ignore');
        expect({ status, isThere: text.includes('zzzzzzzz') }, formatPath(path)).toEqual({ status: 200, isThere: false });
      }
    });

    test(`lists of ${String(MANY)} entries are taken, or are refused as too large`, async () => {
      const condition = { status: 'True', reason: 'R', message: '', lastTransitionTime: '2026-11-01T10:05:00Z' };
      const entries: Readonly<Record<string, (at: number) => unknown>> = {
        'spec.images': (at) => `registry.example/app:${String(at)}`,
        'status.conditions': (at) => ({ ...condition, type: `T${String(at)}` }),
      };
      for (const { path } of fields.filter(({ schema }) => schema.type === 'array')) {
        const entry = entries[formatPath(path)];
        if (entry === undefined) throw new Error(`no entry is known for ${formatPath(path)}`);
        const { status, text } = await patch(kind, version, [path, Array.from({ length: MANY }, (_, at) => entry(at))]);
        expect(status, text.slice(0, 300)).toBe(200);
      }
    });
  });
});
