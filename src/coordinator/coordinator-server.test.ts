import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import * as z from 'zod';
import {
  type ControllerInTest,
  podOf,
  reviewOf,
  RUN,
  SETTINGS,
  startCoordinator,
  TOKEN,
  type CoordinatorInTest,
} from '../../test/fakes/coordinator-in-test.ts';
import { eventually } from '../../test/fakes/eventually.ts';
import { PATH, rawCall, type RawAnswer, type RawCall } from '../../test/fakes/raw-call.ts';
import { CALL_LIMITS } from '../api/coordinator/coordinator-api.ts';
import { pendingPodSchema } from '../api/coordinator/pods-call.ts';
import { settingsAnswerSchema } from '../api/coordinator/settings-call.ts';
import { makeAuthority, makeServerIdentity } from './pki/make-authority.ts';

const RESULTS = {
  startedAt: 1,
  endedAt: 2,
  mode: 'automatic',
  state: 'completed',
  message: null,
  runtime: { name: 'containerd', version: '2.2.3' },
  summary: null,
  filesystem: null,
  omittedFindings: 0,
  decisions: [
    {
      imageId: 'sha256:aa',
      repoTags: ['docker.io/library/nginx:1'],
      repoDigests: [],
      sizeBytes: 10,
      estimatedBytes: 10,
      ruling: { outcome: 'remove', reason: { code: 'unused' } },
      removal: { state: 'removed', at: 2, message: null, keptBy: null, reclaimedBytes: 10 },
    },
  ],
} as const;

const post = (call: 'results' | 'logs' | 'inventory', value: unknown): RawCall => ({
  path: PATH(call),
  body: JSON.stringify(value),
});

/** The outcome of a call for a log line or a break: `403 other-node`. */
const outcome = ({ status, problem }: RawAnswer): string => `${status}${problem === null ? '' : ` ${problem.code}`}`;

describe('who is heard', () => {
  test('a worker pod of a run that goes on', async () => {
    const coordinator = await startCoordinator();
    const settings = await rawCall(coordinator);
    expect(settings.status).toBe(200);
    expect(JSON.parse(settings.text)).toEqual(SETTINGS);
    expect(coordinator.events).toEqual([]);
  });

  test('one whose token is told by its signature: the API server is not asked', async () => {
    const coordinator = await startCoordinator();
    const { controller } = coordinator;
    controller.signatures.set(TOKEN, reviewOf('worker-1', 'uid-1', RUN.node));
    expect((await rawCall(coordinator)).status).toBe(200);
    expect(controller.asked.reviews).toBe(0);
  });

  const signed: readonly (readonly [string, (controller: ControllerInTest) => void, RawCall, string])[] = [
    ['when its pod is gone', (at) => at.workerPods.splice(0), {}, '403 unknown-pod'],
    ['when another pod has its name', (at) => at.workerPods.splice(0, 1, podOf('worker-1', 'uid-2', RUN)), {}, '403 unknown-pod'],
    [
      'when its pod has ended',
      (at) => at.workerPods.splice(0, 1, { ...podOf('worker-1', 'uid-1', RUN), isFinished: true }),
      {},
      '403 pod-finished',
    ],
    ['about another node', () => undefined, { path: PATH('settings', { ...RUN, node: 'node-2' }) }, '403 other-node'],
    ['when its run is over', (at) => at.running.clear(), {}, '403 run-ended'],
    [
      'of another account',
      (at) => at.signatures.set(TOKEN, { ...reviewOf('worker-1', 'uid-1', RUN.node), username: 'system:serviceaccount:a:b' }),
      {},
      '403 other-account',
    ],
  ];
  test.each(signed)('not by a signature alone: %s', async (_, arrange, call, expected) => {
    const coordinator = await startCoordinator();
    const { controller } = coordinator;
    controller.signatures.set(TOKEN, reviewOf('worker-1', 'uid-1', RUN.node));
    arrange(controller);
    expect(outcome(await rawCall(coordinator, call))).toBe(expected);
    expect(controller.asked.reviews).toBe(0);
  });

  test('one that is told to end, for as long as the API server takes its token', async () => {
    const coordinator = await startCoordinator();
    const { controller } = coordinator;
    controller.signatures.set(TOKEN, reviewOf('worker-1', 'uid-1', RUN.node));
    controller.workerPods.splice(0, 1, { ...podOf('worker-1', 'uid-1', RUN), isBeingDeleted: true });
    expect((await rawCall(coordinator)).status).toBe(200);
    expect(controller.asked.reviews).toBe(1);
    controller.reviews.set(TOKEN, { outcome: 'rejected', reason: 'the pod was deleted' });
    expect(outcome(await rawCall(coordinator))).toBe('403 token-rejected');
  });

  const OTHER_RUN = { job: 'another-run', node: RUN.node };
  const refused: readonly (readonly [string, (controller: ControllerInTest) => void, RawCall, string])[] = [
    ['without a token', () => undefined, { token: null }, '401 no-token'],
    ['a token that is none', () => undefined, { headers: { authorization: `Basic ${TOKEN}` } }, '401 no-token'],
    ['an expired token', (at) => at.reviews.set(TOKEN, { outcome: 'rejected', reason: 'token has expired' }), {}, '403 token-rejected'],
    [
      'another audience',
      (at) => at.reviews.set(TOKEN, { ...reviewOf('worker-1', 'uid-1', 'node-1'), audiences: ['api'] }),
      {},
      '403 other-audience',
    ],
    ['another pod', (at) => at.reviews.set(TOKEN, reviewOf('web', 'uid-9', 'node-1')), {}, '403 unknown-pod'],
    ['another node by the token', (at) => at.reviews.set(TOKEN, reviewOf('worker-1', 'uid-1', 'node-2')), {}, '403 other-node'],
    ['about another node', () => undefined, { path: PATH('settings', { ...RUN, node: 'node-2' }) }, '403 other-node'],
    [
      'results for another node',
      () => undefined,
      { ...post('results', RESULTS), path: PATH('results', { ...RUN, node: 'node-2' }) },
      '403 other-node',
    ],
    ['about another run that goes on', (at) => at.running.add(OTHER_RUN.job), { path: PATH('settings', OTHER_RUN) }, '403 other-run'],
    ['a replay when the run is over', (at) => at.running.clear(), { path: '/v1/pods' }, '403 run-ended'],
    ['results when the run is over', (at) => at.running.clear(), post('results', RESULTS), '403 run-ended'],
  ];
  test.each(refused)('not: %s', async (_, arrange, call, expected) => {
    const coordinator = await startCoordinator();
    arrange(coordinator.controller);
    const answer = await rawCall(coordinator, call);
    expect(outcome(answer)).toBe(expected);
    expect(answer.problem?.allowed).not.toBe('');
    expect(coordinator.controller.results).toEqual([]);
    expect(coordinator.events).toMatchObject([{ kind: 'call-refused', code: expected.slice(4), remoteAddress: '127.0.0.1' }]);
    expect(JSON.stringify([coordinator.events, answer.text])).not.toContain(TOKEN);
  });

  test('a token is in no log line and no answer, even if the API server repeats it', async () => {
    const coordinator = await startCoordinator();
    const answer = await rawCall(coordinator, { token: 'secret.secret.secret' });
    expect(outcome(answer)).toBe('403 token-rejected');
    expect(coordinator.events).toHaveLength(1);
    expect(JSON.stringify([coordinator.events, answer])).not.toContain('secret.secret');
  });

  test('who asks with wrong tokens again and again waits, and the API server is left alone', async () => {
    const coordinator = await startCoordinator({ limits: { refusals: { burst: 3, perSecond: 0.1 } } });
    for (let call = 0; call < 3; call++) expect(outcome(await rawCall(coordinator, { token: `bad-${call}` }))).toBe('403 token-rejected');
    const answer = await rawCall(coordinator, { token: 'bad-again' });
    expect(outcome(answer)).toBe('429 too-many-refusals');
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(5);
    expect(coordinator.controller.asked.reviews).toBe(3);
  });

  test('an API server that cannot be asked is no yes', async () => {
    const coordinator = await startCoordinator();
    coordinator.controller.before = () => Promise.reject(new Error('the API server is away'));
    const answer = await rawCall(coordinator);
    expect(outcome(answer)).toBe('500 internal');
    expect(answer.headers['retry-after']).toBe('2');
    expect(answer.text).not.toContain('the API server is away');
    expect(coordinator.events).toMatchObject([{ kind: 'call-failed', error: { message: 'the API server is away' } }]);
  });
});

test('settings carry no pods: a worker that wants them there has no answer, and not an empty one', async () => {
  const coordinator = await startCoordinator();
  const answer: unknown = JSON.parse((await rawCall(coordinator)).text);
  expect(settingsAnswerSchema.parse(answer)).toEqual(SETTINGS);
  expect(settingsAnswerSchema.extend({ pods: z.array(pendingPodSchema) }).safeParse(answer).success).toBe(false);
  expect(coordinator.controller.asked.nodePods).toBe(0);
});

describe('what is taken', () => {
  const LOG = { container: 'collector', sequence: 0, lines: ['one'] };
  const refused: readonly (readonly [string, RawCall, string])[] = [
    ['no address', { path: '/v2/pods' }, '404 not-found'],
    ['a broken address', { path: '/v1/runs/a/nodes/%E0%A4%A/settings' }, '404 not-found'],
    ['another method', { path: PATH('results') }, '405 method-not-allowed'],
    ['no length', { ...post('logs', LOG), headers: { 'transfer-encoding': 'chunked', 'content-length': '' } }, '411 length-required'],
    ['too large', { path: PATH('results'), body: Buffer.alloc(CALL_LIMITS.results.maxRequestBytes + 1) }, '413 too-large'],
    ['no JSON by its type', { ...post('logs', LOG), headers: { 'content-type': 'text/plain' } }, '415 unsupported-type'],
    ['no JSON', { path: PATH('logs'), body: '{"container"' }, '400 not-json'],
    ['no UTF-8', { path: PATH('logs'), body: Buffer.from([0x22, 0xff, 0x22]) }, '400 not-json'],
    ['another form', post('logs', { ...LOG, sequence: -1 }), '422 invalid'],
    ['a container that is none of ours', post('logs', { ...LOG, container: 'made-up-0001' }), '422 invalid'],
    [
      'an image twice',
      post('results', { ...RESULTS, decisions: [RESULTS.decisions[0], { ...RESULTS.decisions[0], imageId: 'aa' }] }),
      '422 invalid',
    ],
    ['a piece that leaves a gap', post('logs', { ...LOG, sequence: 1 }), '409 log-gap'],
  ];
  test.each(refused)('not: %s', async (_, call, expected) => {
    const coordinator = await startCoordinator();
    const headers = Object.fromEntries(Object.entries(call.headers ?? {}).filter(([, value]) => value !== ''));
    const { body, ...rest } = call;
    const chunked = headers['transfer-encoding'] === 'chunked';
    const answer = await (
      chunked
        ? chunkedCall(coordinator, call.path ?? '', String(body))
        : rawCall(coordinator, { ...rest, ...(body === undefined ? {} : { body }), headers })
    ).catch(
      // The connection may be reset while the rest of a body that nobody reads is on its way.
      (error: unknown) => error as NodeJS.ErrnoException,
    );
    if (answer instanceof Error) expect([expected, answer.code]).toEqual(['413 too-large', expect.stringMatching(/ECONNRESET|EPIPE/)]);
    else expect(outcome(answer)).toBe(expected);
    await eventually(() => coordinator.server.bytesInFlight).toBe(0);
    expect(coordinator.events).toHaveLength(1);
  });

  test('a refusal says what is wrong, where, and what is allowed', async () => {
    const coordinator = await startCoordinator();
    const { problem, headers } = await rawCall(coordinator, post('logs', { ...LOG, lines: ['one', 2] }));
    expect(problem).toMatchObject({ title: 'Unprocessable Entity', status: 422, errors: [{ path: 'lines[1]' }] });
    expect(headers['cache-control']).toBe('no-store');
    expect((await rawCall(coordinator, { path: PATH('logs') })).headers['allow']).toBe('POST');
  });
});

/** Node's client sends a body without a length when it is told to. */
async function chunkedCall(coordinator: CoordinatorInTest, path: string, body: string): Promise<RawAnswer> {
  const socket = await openTls(coordinator);
  const head = [
    `POST ${path} HTTP/1.1`,
    'Host: localhost',
    `Authorization: Bearer ${TOKEN}`,
    'Content-Type: application/json',
    'Transfer-Encoding: chunked',
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`);
  const text = await untilClosed(socket);
  const [, status = '0'] = /^HTTP\/1\.1 (\d+)/.exec(text) ?? [];
  const problem = JSON.parse(text.slice(text.indexOf('\r\n\r\n'))) as RawAnswer['problem'];
  return { status: Number(status), headers: {}, text, problem };
}

async function openTls({ server, authority }: CoordinatorInTest): Promise<TLSSocket> {
  const socket = connectTls({ host: '127.0.0.1', port: server.port, servername: 'localhost', ca: authority.certificate });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  return socket;
}

/** What came until the other side closed the connection. */
function untilClosed(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.once('close', () => resolve(text));
  });
}

describe('results', () => {
  test('are recorded once, and acknowledged each time', async () => {
    const coordinator = await startCoordinator();
    const answers = [await rawCall(coordinator, post('results', RESULTS)), await rawCall(coordinator, post('results', RESULTS))];
    expect(answers.map(({ text }) => JSON.parse(text) as unknown)).toEqual([{ recorded: 'now' }, { recorded: 'before' }]);
    expect(coordinator.controller.results).toMatchObject([{ run: RUN, results: RESULTS }]);
  });

  test('are recorded once, however many come at once', async () => {
    const coordinator = await startCoordinator();
    coordinator.controller.before = (port) => new Promise((resolve) => setTimeout(resolve, port === 'results' ? 30 : 0));
    const answers = await Promise.all(Array.from({ length: 8 }, () => rawCall(coordinator, post('results', RESULTS))));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
    expect(answers.filter(({ text }) => text.includes('now'))).toHaveLength(1);
    expect(coordinator.controller.results).toHaveLength(1);
  });

  test('other results of the same node and run change nothing', async () => {
    const coordinator = await startCoordinator();
    await rawCall(coordinator, post('results', RESULTS));
    expect(outcome(await rawCall(coordinator, post('results', { ...RESULTS, decisions: [] })))).toBe('409 results-differ');
    expect(coordinator.controller.results).toMatchObject([{ results: RESULTS }]);
  });

  test('that could not be recorded are recorded when they come again', async () => {
    const coordinator = await startCoordinator();
    coordinator.controller.before = (port) => (port === 'results' ? Promise.reject(new Error('the disk is full')) : Promise.resolve());
    expect((await rawCall(coordinator, post('results', RESULTS))).status).toBe(500);
    coordinator.controller.before = () => Promise.resolve();
    expect((await rawCall(coordinator, post('results', RESULTS))).text).toBe('{"recorded":"now"}');
  });
});

describe('logs', () => {
  const piece = (sequence: number, text = 'x'.repeat(1_000)): RawCall => post('logs', { container: 'remover', sequence, lines: [text] });

  test('are heard after the run is over, too, of a pod that is there', async () => {
    const coordinator = await startCoordinator();
    coordinator.controller.running.clear();
    expect(JSON.parse((await rawCall(coordinator, piece(0))).text)).toEqual({ nextSequence: 1, isFull: false });
    coordinator.controller.workerPods.length = 0;
    expect((await rawCall(coordinator, piece(1))).status).toBe(403);
    expect(coordinator.controller.logs).toHaveLength(1);
  });

  test('are kept in order, each piece once, up to a limit', async () => {
    const coordinator = await startCoordinator({ limits: { maxLogBytes: 2_500 } });
    const ask = async (sequence: number): Promise<unknown> => JSON.parse((await rawCall(coordinator, piece(sequence))).text);
    expect(await ask(0)).toEqual({ nextSequence: 1, isFull: false });
    expect(await ask(0)).toEqual({ nextSequence: 1, isFull: false });
    expect(await ask(1)).toEqual({ nextSequence: 2, isFull: false });
    expect(await ask(2)).toEqual({ nextSequence: 3, isFull: false });
    expect(await ask(3)).toEqual({ nextSequence: 4, isFull: true });
    expect(await ask(7)).toEqual({ nextSequence: 8, isFull: true });
    expect(coordinator.controller.logs.map(({ sequence }) => sequence)).toEqual([0, 1, 2]);
  });
});

describe('the pods of a node', () => {
  test('are read after they were asked for, and shared by those who ask at once', async () => {
    const coordinator = await startCoordinator();
    const { controller } = coordinator;
    const gate = Promise.withResolvers<undefined>();
    controller.before = (port) => (port === 'nodePods' ? gate.promise : Promise.resolve());
    const first = rawCall(coordinator, { path: '/v1/pods' });
    await eventually(() => controller.asked.nodePods).toBe(1);
    controller.nodePods.set(RUN.node, []);
    const others = Array.from({ length: 5 }, () => rawCall(coordinator, { path: '/v1/pods' }));
    await eventually(() => controller.asked.reviews).toBe(6);
    gate.resolve(undefined);
    expect((await first).status).toBe(200);
    for (const { text } of await Promise.all(others)) expect(JSON.parse(text)).toEqual({ node: RUN.node, pods: [] });
    expect(controller.asked.nodePods).toBeLessThanOrEqual(3);
    expect(controller.asked.nodePods).toBeGreaterThan(1);
  });

  test('are never those of another time: each call is a new question', async () => {
    const coordinator = await startCoordinator();
    for (let call = 1; call <= 3; call++) {
      await rawCall(coordinator, { path: '/v1/pods' });
      expect(coordinator.controller.asked.nodePods).toBe(call);
    }
  });
});

describe('under load', () => {
  test('one worker cannot take the place of the others', async () => {
    const coordinator = await startCoordinator({ limits: { maxCallsPerWorker: 2 } });
    const { controller } = coordinator;
    const other = { job: RUN.job, node: 'node-2' };
    controller.workerPods.push(podOf('worker-2', 'uid-2', other));
    controller.reviews.set('second.token', reviewOf('worker-2', 'uid-2', 'node-2'));
    const gate = Promise.withResolvers<undefined>();
    controller.before = (port) => (port === 'nodePods' ? gate.promise : Promise.resolve());
    const held = [rawCall(coordinator, { path: '/v1/pods' }), rawCall(coordinator, { path: '/v1/pods' })];
    await eventually(() => controller.asked.nodePods).toBeGreaterThan(0);
    await eventually(async () => outcome(await rawCall(coordinator, post('logs', {})))).toBe('503 busy');
    const second = rawCall(coordinator, { path: '/v1/pods', token: 'second.token' });
    gate.resolve(undefined);
    expect((await second).status).toBe(200);
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual([200, 200]);
  });

  test('a worker that calls too often is told to wait', async () => {
    const coordinator = await startCoordinator({ limits: { worker: { burst: 2, perSecond: 0.1 } } });
    const answers = [await rawCall(coordinator), await rawCall(coordinator), await rawCall(coordinator)];
    expect(answers.map(outcome)).toEqual(['200', '200', '429 too-many-calls']);
    expect(Number(answers[2]?.headers['retry-after'])).toBeGreaterThan(5);
  });

  test('no more is in memory than may be', async () => {
    const body = JSON.stringify(RESULTS);
    const coordinator = await startCoordinator({ limits: { maxBytesInFlight: body.length + 10_000 } });
    const gate = Promise.withResolvers<undefined>();
    coordinator.controller.before = (port) => (port === 'results' ? gate.promise : Promise.resolve());
    const held = rawCall(coordinator, post('results', RESULTS));
    await eventually(() => coordinator.server.bytesInFlight).toBe(body.length);
    const large = { container: 'remover', sequence: 0, lines: ['x'.repeat(11_000)] };
    expect(outcome(await rawCall(coordinator, post('logs', large)))).toBe('503 busy');
    gate.resolve(undefined);
    expect((await held).status).toBe(200);
    await eventually(() => coordinator.server.bytesInFlight).toBe(0);
    expect((await rawCall(coordinator, post('logs', { ...large, lines: ['x'] }))).status).toBe(200);
  });

  test('a body that is not sent holds nothing for long', async () => {
    const coordinator = await startCoordinator({ limits: { bodyTimeoutMs: 200 } });
    const socket = await openTls(coordinator);
    const head = [
      `POST ${PATH('results')} HTTP/1.1`,
      'Host: localhost',
      `Authorization: Bearer ${TOKEN}`,
      'Content-Type: application/json',
    ];
    socket.write(`${head.join('\r\n')}\r\nContent-Length: 5000\r\n\r\n{"a":`);
    await eventually(() => coordinator.server.bytesInFlight).toBe(5_000);
    expect(await untilClosed(socket)).toMatch(/^HTTP\/1\.1 408 /);
    await eventually(() => coordinator.server.bytesInFlight).toBe(0);
  });

  test('a body that is cut off is recorded by nobody', async () => {
    const coordinator = await startCoordinator();
    const socket = await openTls(coordinator);
    const body = JSON.stringify(RESULTS);
    const head = [
      `POST ${PATH('results')} HTTP/1.1`,
      'Host: localhost',
      `Authorization: Bearer ${TOKEN}`,
      'Content-Type: application/json',
    ];
    socket.write(`${head.join('\r\n')}\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, -5)}`);
    await eventually(() => coordinator.server.bytesInFlight).toBe(body.length);
    socket.destroy();
    await eventually(() => coordinator.server.bytesInFlight).toBe(0);
    expect(coordinator.controller.results).toEqual([]);
  });

  test('who goes away before the body was asked for holds nothing', async () => {
    const coordinator = await startCoordinator();
    const { controller } = coordinator;
    const gate = Promise.withResolvers<undefined>();
    controller.before = (port) => (port === 'runs' ? gate.promise : Promise.resolve());
    const socket = await openTls(coordinator);
    const head = [
      `POST ${PATH('results')} HTTP/1.1`,
      'Host: localhost',
      `Authorization: Bearer ${TOKEN}`,
      'Content-Type: application/json',
    ];
    socket.write(`${head.join('\r\n')}\r\nContent-Length: 5000\r\nExpect: 100-continue\r\n\r\n`);
    await eventually(() => controller.asked.reviews).toBe(1);
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    gate.resolve(undefined);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(coordinator.server.bytesInFlight).toBe(0);
  });

  test('an answer that nobody reads counts until its caller is gone', async () => {
    const coordinator = await startCoordinator();
    const imageReferences = Array.from({ length: 100_000 }, (_, at) => `registry.example/shop/front-end:${at}`);
    coordinator.controller.nodePods.set(RUN.node, [{ namespace: 'shop', name: 'web', imageReferences }]);
    const socket = await openTls(coordinator);
    socket.pause();
    socket.write(`GET /v1/pods HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`);
    await eventually(() => coordinator.server.bytesInFlight).toBeGreaterThan(3_000_000);
    socket.destroy();
    await eventually(() => coordinator.server.bytesInFlight).toBe(0);
  });

  test.each([
    ['nothing at all', ''],
    ['a header now and then', `GET ${PATH('settings')} HTTP/1.1\r\nHost: localhost\r\n`],
  ])('who sends %s is cut off', async (_, sent) => {
    const coordinator = await startCoordinator({ limits: { headersTimeoutMs: 300, keepAliveTimeoutMs: 300, checkIntervalMs: 50 } });
    const socket = await openTls(coordinator);
    if (sent !== '') socket.write(sent);
    const dripping = setInterval(() => sent !== '' && socket.write('X-More: 1\r\n'), 50);
    const before = performance.now();
    await untilClosed(socket);
    clearInterval(dripping);
    expect(performance.now() - before).toBeLessThan(5_000);
    expect((await rawCall(coordinator)).status).toBe(200);
  });

  test('who never begins with TLS is cut off', async () => {
    const coordinator = await startCoordinator({ limits: { headersTimeoutMs: 300 } });
    const socket = connectTcp(coordinator.server.port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => undefined);
    await untilClosed(socket);
    expect((await rawCall(coordinator)).status).toBe(200);
  });

  test('one address has so many connections', async () => {
    const coordinator = await startCoordinator({ limits: { maxConnectionsPerAddress: 2 } });
    const open = [await openTls(coordinator), await openTls(coordinator)];
    await expect(rawCall(coordinator)).rejects.toThrow();
    open.forEach((socket) => socket.destroy());
    await eventually(() => rawCall(coordinator).then(outcome, () => 'cut')).toBe('200');
  });

  test('headers have a limit', async () => {
    const coordinator = await startCoordinator();
    const headers = { 'x-long': 'x'.repeat(20_000) };
    expect((await rawCall(coordinator, { headers })).status).toBe(431);
  });
});

describe('TLS', () => {
  test('a new certificate is seen by new connections, and old versions of TLS are not spoken', async () => {
    const coordinator = await startCoordinator();
    await expect(rawCall(coordinator, { tls: { maxVersion: 'TLSv1.2' } })).rejects.toThrow(/protocol version/);
    const next = makeAuthority(Date.now());
    coordinator.server.useIdentity(makeServerIdentity(next, ['localhost'], Date.now()));
    await expect(rawCall(coordinator)).rejects.toMatchObject({ code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
    expect((await rawCall({ ...coordinator, authority: next })).status).toBe(200);
    await expect(rawCall({ ...coordinator, authority: next }, { tls: { maxVersion: 'TLSv1.2' } })).rejects.toThrow(/protocol version/);
  });
});

describe('closing', () => {
  test('answers what is under way, and takes nothing new', async () => {
    const coordinator = await startCoordinator();
    const gate = Promise.withResolvers<undefined>();
    coordinator.controller.before = (port) => (port === 'results' ? gate.promise : Promise.resolve());
    const held = rawCall(coordinator, post('results', RESULTS));
    await eventually(() => coordinator.server.bytesInFlight).toBeGreaterThan(0);
    const closing = coordinator.server.close(10_000);
    await expect(rawCall(coordinator)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    gate.resolve(undefined);
    const answer = await held;
    expect([answer.status, answer.headers['connection']]).toEqual([200, 'close']);
    await closing;
    expect(coordinator.controller.results).toHaveLength(1);
  });

  test('waits for nobody longer than it was told', async () => {
    const coordinator = await startCoordinator();
    coordinator.controller.before = (port) => (port === 'results' ? new Promise(() => undefined) : Promise.resolve());
    const held = rawCall(coordinator, post('results', RESULTS)).catch((error: unknown) => (error as NodeJS.ErrnoException).code);
    await openTls(coordinator);
    await eventually(() => coordinator.server.bytesInFlight).toBeGreaterThan(0);
    await coordinator.server.close(100);
    expect(await held).toBe('ECONNRESET');
  });

  test('an address that is taken is an error that says so', async () => {
    const coordinator = await startCoordinator();
    await expect(coordinator.restart()).rejects.toMatchObject({
      code: 'listen-failed',
      message: expect.stringContaining('EADDRINUSE') as string,
    });
  });
});
