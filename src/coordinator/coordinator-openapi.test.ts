import { readFile } from 'node:fs/promises';
import { METHODS } from 'node:http';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { RUN, startCoordinator, TOKEN, type CoordinatorInTest } from '../../test/fakes/coordinator-in-test.ts';
import { analysisOf, NOTHING_ASKED } from '../../test/fakes/fake-reader.ts';
import { finding, image, imageId, report } from '../../test/fakes/images.ts';
import { PATH, rawCall, type RawAnswer, type RawCall } from '../../test/fakes/raw-call.ts';
import { CALL_LIMITS, PODS_PATH, RUN_CALLS, type CoordinatorCall } from '../api/coordinator/coordinator-api.ts';
import { PROBLEM_STATUS, PROBLEM_TYPE, type ProblemCode } from '../api/coordinator/problem-details.ts';
import { encodeScans, scansHeadSchema, SCANS_TYPE } from '../api/coordinator/scans-call.ts';
import { formatScans } from './client/format-scans.ts';
import { matchRoute } from './match-route.ts';

const DOCUMENT = new URL('../../docs/reference/coordinator-api.openapi.json', import.meta.url);

const contentSchema = z.record(z.string(), z.looseObject({ schema: z.looseObject({}).optional(), example: z.unknown().optional() }));
const operationSchema = z.looseObject({
  operationId: z.string(),
  requestBody: z.looseObject({ content: contentSchema }).optional(),
  responses: z.record(
    z.string(),
    z.looseObject({ content: contentSchema, headers: z.record(z.string(), z.looseObject({ required: z.boolean().optional() })) }),
  ),
  'x-max-request-bytes': z.number().optional(),
  'x-max-answer-bytes': z.number(),
  'x-time-limit-ms': z.number(),
});
type Operation = z.output<typeof operationSchema>;

const text = await readFile(DOCUMENT, 'utf8');
const { paths, components } = z
  .object({
    paths: z.record(z.string(), z.record(z.string(), z.unknown())),
    components: z.looseObject({ schemas: z.record(z.string(), z.unknown()) }),
  })
  .parse(JSON.parse(text));

/** Of each address and method. */
const operations = Object.entries(paths).flatMap(([path, item]) =>
  Object.entries(item)
    .filter(([key]) => key !== 'parameters')
    .map(([method, operation]) => ({
      path,
      method: method.toUpperCase(),
      operation: operationSchema.parse(operation),
    })),
);

function operationOf(call: CoordinatorCall): Operation {
  const [found, ...others] = operations.filter(({ operation }) => operation.operationId === call);
  if (found === undefined || others.length > 0) throw new Error(`${call} is not once in the document`);
  return found.operation;
}

/** What is sent has no field that the document does not know. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  return inner['type'] === 'object' && 'properties' in inner ? { additionalProperties: false, ...inner } : inner;
}

const ajv = new Ajv2020({ strict: false, allErrors: true });
const compile = (schema: unknown, schemas: unknown): ValidateFunction =>
  ajv.compile({ ...(schema as object), components: { schemas } } as object);
const errorsBy = (validate: ValidateFunction, value: unknown): unknown[] => (validate(value) ? [] : (validate.errors ?? []));

/** What the document does not say of this answer; nothing is as it should be. */
function contradictions(call: CoordinatorCall, { status, headers, text: body }: RawAnswer): unknown[] {
  const response = operationOf(call).responses[String(status)];
  if (response === undefined) return [`no response ${String(status)}`, body];
  const content = response.content[headers['content-type'] as string];
  if (content === undefined) return [`no content ${String(headers['content-type'])}`];
  const missing = Object.entries(response.headers).flatMap(([name, { required }]) =>
    required === true && headers[name.toLowerCase()] === undefined ? [`no header ${name}`] : [],
  );
  return [...missing, ...errorsBy(compile(closed(content.schema), closed(components.schemas)), JSON.parse(body))];
}

const exampleOf = (call: CoordinatorCall): unknown => operationOf(call).requestBody?.content['application/json']?.example;
const pathOf = (call: CoordinatorCall, run = RUN): string => (call === 'pods' ? PODS_PATH : PATH(call, run));
const scans = (body: Buffer): RawCall => ({ path: PATH('scans'), body, headers: { 'content-type': SCANS_TYPE } });

/** A call as it should be. */
function good(call: CoordinatorCall): RawCall {
  if (call === 'scans') return scans(formatScans({ ...NOTHING_ASKED, wanted: [imageId(1), imageId(2)], mayTake: 1 }));
  return { path: pathOf(call), ...(CALL_LIMITS[call].method === 'GET' ? {} : { body: JSON.stringify(exampleOf(call)) }) };
}

const CALLS = Object.keys(CALL_LIMITS) as CoordinatorCall[];
const POSTS = CALLS.filter((call) => CALL_LIMITS[call].method === 'POST');

describe("the document of the coordinator's API", () => {
  test('is valid OpenAPI 3.1, and so are its schemas', async () => {
    const validator = new Validator();
    expect(await validator.validate(JSON.parse(text) as Record<string, unknown>)).toEqual({ valid: true });
    expect(validator.version).toBe('3.1');
    for (const [name, schema] of Object.entries(components.schemas)) {
      expect([name, ajv.validateSchema(schema as object), ajv.errors]).toEqual([name, true, null]);
    }
  });

  test('has each call that the server matches, by its method alone, and no other', () => {
    expect(operations.map(({ operation }) => operation.operationId).sort()).toEqual([...RUN_CALLS, 'pods'].sort());
    expect(CALLS.toSorted()).toEqual([...RUN_CALLS, 'pods'].sort());
    for (const { path, method, operation } of operations) {
      const sent = path.replace('{job}', 'a%2Fjob').replace('{node}', 'node-1');
      const run = path === PODS_PATH ? null : { job: 'a/job', node: 'node-1' };
      expect(matchRoute(method, sent)).toEqual({ kind: 'route', call: operation.operationId, run });
      for (const other of METHODS.filter((each) => each !== method)) {
        expect(matchRoute(other, sent)).toMatchObject({ kind: 'refused', code: 'method-not-allowed', allow: method });
      }
    }
    expect(matchRoute('GET', '/v1/runs/a/nodes/b/other')).toMatchObject({ code: 'not-found' });
  });

  test('says the limits that both sides keep to, and the types of bodies', () => {
    for (const call of CALLS) {
      const operation = operationOf(call);
      const { maxAnswerBytes, maxRequestBytes, timeLimitMs, requestType = 'application/json', method } = CALL_LIMITS[call];
      expect([call, operation['x-max-answer-bytes'], operation['x-time-limit-ms']]).toEqual([call, maxAnswerBytes, timeLimitMs]);
      expect(operation['x-max-request-bytes']).toBe(method === 'GET' ? undefined : maxRequestBytes);
      expect(Object.keys(operation.requestBody?.content ?? {})).toEqual(method === 'GET' ? [] : [requestType]);
    }
  });

  test('has every code of a problem, at its status', () => {
    const codesSchema = z.looseObject({ properties: z.object({ code: z.object({ enum: z.array(z.string()) }) }) });
    const told = new Set<string>();
    for (const { operation } of operations) {
      for (const [status, { content }] of Object.entries(operation.responses)) {
        if (status === '200') continue;
        for (const code of codesSchema.parse(content[PROBLEM_TYPE]?.schema).properties.code.enum) {
          expect([code, PROBLEM_STATUS[code as ProblemCode]]).toEqual([code, Number(status)]);
          told.add(code);
        }
      }
    }
    // These are of no call: the document says so where it begins.
    const ofNoCall = ['not-found', 'method-not-allowed'];
    expect([...told, ...ofNoCall].sort()).toEqual(Object.keys(PROBLEM_STATUS).sort());
    for (const code of ofNoCall) expect(text).toContain(code);
  });

  test('has examples that are what it says', () => {
    for (const { operation } of operations) {
      const contents = [operation.requestBody?.content ?? {}, ...Object.values(operation.responses).map(({ content }) => content)];
      for (const { schema, example } of contents.flatMap((content) => Object.values(content))) {
        if (schema !== undefined) expect(errorsBy(compile(closed(schema), closed(components.schemas)), example)).toEqual([]);
      }
    }
  });
});

describe('what the server says is in the document', () => {
  test.each(CALLS)('of %s', async (call) => {
    const coordinator = await startCoordinator();
    coordinator.controller.histories.set(imageId(1), { firstSeenAt: 1, lastInUseAt: 2 });
    coordinator.controller.known.set(imageId(1), report(image(1), { findings: [finding()] }));
    const answer = await rawCall(coordinator, good(call));
    expect([answer.status, contradictions(call, answer)]).toEqual([200, []]);
    const again = await rawCall(coordinator, good(call));
    expect([again.status, contradictions(call, again)]).toEqual([200, []]);
  });

  test('of scans that tell what was read, and what could not be', async () => {
    const coordinator = await startCoordinator();
    await rawCall(coordinator, good('scans'));
    const told = formatScans({ ...NOTHING_ASKED, wanted: [imageId(2)], mayTake: 1, analyses: [analysisOf(imageId(1))] });
    const failure = { kind: 'unscannable', error: 'no layer' } as const;
    const failed = formatScans({ ...NOTHING_ASKED, failed: [{ imageId: imageId(2), failure }] });
    for (const body of [told, failed]) {
      const answer = await rawCall(coordinator, scans(body));
      expect([answer.status, contradictions('scans', answer)]).toEqual([200, []]);
      expect(answer.text).toContain('"result":');
    }
  });

  type Arrange = (coordinator: CoordinatorInTest) => unknown;
  const nothing: Arrange = () => undefined;
  const unavailable: Arrange = ({ controller }) => (controller.before = () => Promise.reject(new Error('gone')));
  const ended: Arrange = ({ controller }) => controller.running.clear();
  const away =
    (mayPass: boolean): Arrange =>
    ({ controller }) =>
      (controller.away = { kind: 'away', why: 'no answer', mayPass });
  const ofEach = (calls: readonly CoordinatorCall[], arrange: Arrange, change: RawCall, expected: string) =>
    calls.map((call) => [call, expected, arrange, { ...good(call), ...change }] as const);
  const inBody = (change: RawCall, expected: string) =>
    POSTS.map(
      (call) => [call, expected, nothing, { ...good(call), ...change, headers: { ...good(call).headers, ...change.headers } }] as const,
    );
  const dropped = (call: CoordinatorCall): RawCall => {
    const [first = ''] = Object.keys(exampleOf(call) as object);
    return { ...good(call), body: JSON.stringify({ ...(exampleOf(call) as object), [first]: undefined }) };
  };

  test.each([
    ...ofEach(CALLS, nothing, { token: null }, '401 no-token'),
    ...ofEach(CALLS, nothing, { token: 'another.token.here' }, '403 token-rejected'),
    ...ofEach(CALLS, ({ controller }) => controller.workerPods.splice(0), {}, '403 unknown-pod'),
    ...ofEach(CALLS, unavailable, {}, '500 internal'),
    ...ofEach(
      CALLS.filter((call) => call !== 'logs'),
      ended,
      {},
      '403 run-ended',
    ),
    ...RUN_CALLS.map((call) => [call, '403 other-node', nothing, { ...good(call), path: PATH(call, { ...RUN, node: 'node-2' }) }] as const),
    ...RUN_CALLS.map((call) => [call, '403 other-run', nothing, { ...good(call), path: PATH(call, { ...RUN, job: 'another' }) }] as const),
    ...inBody({ headers: { 'content-type': 'text/plain' } }, '415 unsupported-type'),
    ...inBody({ headers: { 'content-length': String(64 * 1024 * 1024) } }, '413 too-large'),
    ...POSTS.filter((call) => call !== 'scans').map((call) => [call, '422 invalid', nothing, dropped(call)] as const),
    ...POSTS.filter((call) => call !== 'scans').map((call) => [call, '400 not-json', nothing, { ...good(call), body: '{' }] as const),
    ['scans', '422 invalid', nothing, scans(Buffer.alloc(2))] as const,
    ['scans', '424 trivy-failed', away(false), good('scans')] as const,
    ['scans', '503 trivy-away', away(true), good('scans')] as const,
    [
      'logs',
      '409 log-gap',
      nothing,
      { path: PATH('logs'), body: JSON.stringify({ container: 'remover', sequence: 7, lines: [] }) },
    ] as const,
    [
      'results',
      '409 results-differ',
      ({ controller }) => controller.results.push({ run: RUN, results: {} as never, digest: 'another' }),
      good('results'),
    ] as const,
  ] as readonly (readonly [CoordinatorCall, string, Arrange, RawCall])[])('of %s: %s', async (call, expected, arrange, sent) => {
    const coordinator = await startCoordinator();
    arrange(coordinator);
    const answer = await rawCall(coordinator, sent);
    expect(`${String(answer.status)} ${String(answer.problem?.code)}`).toBe(expected);
    expect(contradictions(call, answer)).toEqual([]);
    expect(answer.text).not.toContain(TOKEN);
  });

  test.each(CALLS)('of %s, when too many are under way, or come', async (call) => {
    const busy = await startCoordinator({ limits: { maxCalls: 0, maxScansCalls: 0 } });
    const often = await startCoordinator({ limits: { worker: { burst: 0, perSecond: 0.1 } } });
    const answers = [await rawCall(busy, good(call)), await rawCall(often, good(call))];
    expect(answers.map(({ problem }) => problem?.code)).toEqual(['busy', 'too-many-calls']);
    for (const answer of answers) expect(contradictions(call, answer)).toEqual([]);
  });

  test.each(POSTS.filter((call) => call !== 'scans'))('%s takes what the document takes, and refuses what it refuses', async (call) => {
    const content = operationOf(call).requestBody?.content['application/json'];
    const takes = compile(content?.schema, components.schemas);
    const whole = exampleOf(call) as Record<string, unknown>;
    for (const change of [
      {},
      { more: 1 },
      ...Object.keys(whole).map((key) => ({ [key]: undefined })),
      ...Object.keys(whole).map((key) => ({ [key]: [7] })),
    ]) {
      const body = JSON.stringify({ ...whole, ...change });
      // Each of its own, or the results would differ from those on record.
      const { status } = await rawCall(await startCoordinator(), { ...good(call), body });
      expect([change, status]).toEqual([change, takes(JSON.parse(body)) ? 200 : 422]);
    }
  });

  test('the head of scans is what the document says', async () => {
    const takes = compile({ $ref: '#/components/schemas/ScansHead' }, components.schemas);
    const head = scansHeadSchema.parse({ ...NOTHING_ASKED, parts: [], wanted: [imageId(1)], mayTake: 1 });
    for (const change of [{}, { wanted: ['none'] }, { mayTake: 33 }, { mayWaitMs: -1 }, { parts: undefined }, { scannerVersion: null }]) {
      const changed = { ...head, ...change } as typeof head;
      const { status } = await rawCall(await startCoordinator(), scans(encodeScans(changed, [])));
      expect([change, status]).toEqual([change, takes(JSON.parse(JSON.stringify(changed))) ? 200 : 422]);
    }
  });
});
