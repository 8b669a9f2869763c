import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Readable } from 'node:stream';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { RUN, startCoordinator, TOKEN, type ControllerInTest, type CoordinatorInTest } from '../../test/fakes/coordinator-in-test.ts';
import { eventually } from '../../test/fakes/eventually.ts';
import { PATH, rawCall, type RawAnswer, type RawCall } from '../../test/fakes/raw-call.ts';
import { CALL_LIMITS, trivyServerPath } from '../api/coordinator/coordinator-api.ts';
import {
  encodeTrivyCalls,
  MOST_TRIVY_CALLS,
  TRIVY_CALLS_TYPE,
  TRIVY_RPC_PATHS,
  TRIVY_VERSION_HEADER,
  type TrivyRpc,
} from '../api/coordinator/trivy-calls.ts';
import { connectTrivyServer } from './connect-trivy-server.ts';
import type { TrivyServer, TrivyServerCall } from './ports.ts';

const CALLS = 'trivy/calls';
const [PUT_BLOB, PUT_ARTIFACT, SCAN] = TRIVY_RPC_PATHS;

const bodyOfCalls = (calls: readonly (readonly [TrivyRpc['path'], string | Buffer])[]): Buffer =>
  encodeTrivyCalls(calls.map(([path, body]) => ({ path, body: Buffer.from(body) })));

const post = (body: Buffer): RawCall => ({ path: PATH(CALLS), body, headers: { 'content-type': TRIVY_CALLS_TYPE } });
const scan = (body: string | Buffer = 'x'): RawCall => post(bodyOfCalls([[SCAN, body]]));
const putBlob = (body: Buffer): RawCall => post(bodyOfCalls([[PUT_BLOB, body]]));
const outcome = ({ status, problem }: RawAnswer): string => `${status}${problem === null ? '' : ` ${problem.code}`}`;

/** A coordinator whose Trivy server answers all alike, and what reaches that. */
async function start(
  answer: TrivyServer['pass'] = answering(() => ({ kind: 'answered', status: 200, type: 'application/protobuf', body: bodyOf('done') })),
  limits: NonNullable<Parameters<typeof startCoordinator>[0]>['limits'] = {},
): Promise<CoordinatorInTest & { readonly passed: TrivyServerCall[] }> {
  const coordinator = await startCoordinator({ limits });
  const passed: TrivyServerCall[] = [];
  coordinator.controller.trivy = {
    pass: (call, signal) => {
      passed.push(call);
      return answer(call, signal);
    },
  };
  return { ...coordinator, passed };
}

const VERSION_PAGE = '{"Version":"0.74.0"}';

/** As Trivy's server: its page, and to all else the same answer. */
function answering(body: () => Awaited<ReturnType<TrivyServer['pass']>>): TrivyServer['pass'] {
  return ({ path }) =>
    Promise.resolve(
      path === 'version' ? { kind: 'answered', status: 200, type: 'application/json', body: Buffer.from(VERSION_PAGE) } : body(),
    );
}

function bodyOf(text: string) {
  return { stream: Readable.from([Buffer.from(text)]), length: text.length };
}

describe("calls of Trivy's", () => {
  test('are passed on as they came, and answered as the server answers', async () => {
    const coordinator = await start();
    const asked = [
      [PUT_BLOB, 'a layer'],
      [PUT_BLOB, ''],
      [PUT_ARTIFACT, 'the configuration'],
      [SCAN, 'what is asked'],
    ] as const;
    const answer = await rawCall(coordinator, post(bodyOfCalls(asked)));
    expect([answer.status, answer.text, answer.headers['content-type']]).toEqual([200, 'done', 'application/protobuf']);
    expect(Buffer.from(String(answer.headers[TRIVY_VERSION_HEADER]), 'base64').toString()).toBe(VERSION_PAGE);
    expect((await rawCall(coordinator, { path: `${trivyServerPath(RUN)}version` })).text).toBe(VERSION_PAGE);
    expect(coordinator.passed.map(({ method, path, body }) => [method, path, body.toString()])).toEqual([
      ...asked.map(([path, body]) => ['POST', path, body]),
      ['GET', 'version', ''],
      ['GET', 'version', ''],
    ]);
  });

  test('a refusal of the server is the answer, and what was to follow is not asked', async () => {
    const type = 'application/json';
    const coordinator = await start(answering(() => ({ kind: 'answered', status: 500, type, body: bodyOf('{"code":"internal"}') })));
    const calls = bodyOfCalls([
      [PUT_BLOB, 'a layer'],
      [SCAN, 'what is asked'],
    ]);
    const answer = await rawCall(coordinator, post(calls));
    expect([answer.status, answer.text, answer.headers['content-type']]).toEqual([500, '{"code":"internal"}', type]);
    expect(coordinator.passed.map(({ path }) => path)).toEqual([PUT_BLOB]);
  });

  test('an answer that nobody reads is let go of, whatever follows', async () => {
    const given: Readable[] = [];
    const stream = answering(() => {
      const body = bodyOf('done');
      given.push(body.stream);
      return { kind: 'answered', status: 200, type: 'application/protobuf', body };
    });
    const calls = bodyOfCalls([
      [PUT_BLOB, 'a layer'],
      [SCAN, 'what is asked'],
    ]);
    expect((await rawCall(await start(stream), post(calls))).text).toBe('done');
    expect(given.map(({ readableDidRead, destroyed }) => [readableDidRead, destroyed])).toEqual([
      [false, true],
      [true, true],
    ]);
    const noVersion: TrivyServer['pass'] = (call, signal) =>
      call.path === 'version' ? Promise.resolve({ kind: 'away', why: 'gone' }) : stream(call, signal);
    expect(outcome(await rawCall(await start(noVersion), scan()))).toBe('503 trivy-away');
    expect(given.map(({ destroyed }) => destroyed)).toEqual([true, true, true]);
  });

  test('a verdict is no answer while the server does not tell by which database', async () => {
    const page =
      (status: number): TrivyServer['pass'] =>
      (call) =>
        Promise.resolve({
          kind: 'answered',
          status: call.path === 'version' ? status : 200,
          type: 'application/protobuf',
          body: bodyOf('done'),
        });
    // A page of unknown length is none of Trivy's.
    expect(outcome(await rawCall(await start(page(200)), scan()))).toBe('503 trivy-away');
    expect(outcome(await rawCall(await start(page(500)), scan()))).toBe('500');
  });

  const CUT_OFF = bodyOfCalls([[SCAN, 'what is asked']]).subarray(0, -1);
  test.each([
    ['nothing', Buffer.alloc(0)],
    ['a call that is cut off', CUT_OFF],
    ['a call without its length', Buffer.from([0, 0, 0])],
    ['another after a whole one', Buffer.concat([bodyOfCalls([[SCAN, 'x']]), CUT_OFF])],
    // The first number that is none.
    ['what could delete what is of others', Buffer.concat([Buffer.from([3, 0, 0, 0, 1]), Buffer.from('x')])],
    ['text', Buffer.from('{"calls":[]}')],
    ['too many', bodyOfCalls(Array.from({ length: MOST_TRIVY_CALLS + 1 }, () => [PUT_BLOB, '']))],
  ])('none of them is passed on from a body that holds %s', async (_, body) => {
    const coordinator = await start();
    expect(outcome(await rawCall(coordinator, post(body)))).toBe('422 invalid');
    expect(coordinator.passed).toEqual([]);
  });

  const refused: readonly (readonly [string, (controller: ControllerInTest) => void, RawCall, string])[] = [
    [
      'what could delete what is of others',
      () => undefined,
      { ...scan(), path: `${trivyServerPath(RUN)}twirp/trivy.cache.v1.Cache/DeleteBlobs` },
      '404 not-found',
    ],
    ['another page', () => undefined, { path: `${trivyServerPath(RUN)}metrics` }, '404 not-found'],
    ['a way around the list', () => undefined, { path: `${trivyServerPath(RUN)}version/../../../metrics` }, '404 not-found'],
    ['a call by another method', () => undefined, { path: PATH(CALLS) }, '405 method-not-allowed'],
    ['no token', () => undefined, { ...scan(), token: null }, '401 no-token'],
    ['a page without a token', () => undefined, { path: PATH('trivy/version'), token: null }, '401 no-token'],
    ['another node', () => undefined, { ...scan(), path: PATH(CALLS, { ...RUN, node: 'node-2' }) }, '403 other-node'],
    ['a run that is over', (at) => at.running.clear(), scan(), '403 run-ended'],
    ['JSON', () => undefined, { ...scan(), headers: { 'content-type': 'application/json' } }, '415 unsupported-type'],
    ['too much', () => undefined, post(Buffer.alloc(CALL_LIMITS[CALLS].maxRequestBytes + 1)), '413 too-large'],
  ];
  test.each(refused)('not: %s', async (_, arrange, call, expected) => {
    const coordinator = await start();
    arrange(coordinator.controller);
    // The connection may be reset while the rest of a body that nobody reads is on its way.
    const answered = await rawCall(coordinator, call).then(outcome, (error: unknown) => (error as NodeJS.ErrnoException).code ?? '');
    expect([expected, ...(expected === '413 too-large' ? ['ECONNRESET', 'EPIPE'] : [])]).toContain(answered);
    expect(coordinator.passed).toEqual([]);
    await eventually(() => coordinator.server.bytesInFlight).toBe(0);
  });

  test('a server that is away is told as such, each time to the caller and to nobody else', async () => {
    const coordinator = await start(() => Promise.resolve({ kind: 'away', why: 'connect ECONNREFUSED' }));
    const answer = await rawCall(coordinator, scan());
    expect(outcome(answer)).toBe('503 trivy-away');
    expect(answer.problem?.detail).toContain('connect ECONNREFUSED');
    expect(answer.headers['retry-after']).toBe('2');
    expect(coordinator.events).toEqual([]);
  });

  test('an answer that breaks off is no answer', async () => {
    const half = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.from('the beginning');
      await new Promise((resolve) => setTimeout(resolve, 20));
      throw new Error('broken off');
    };
    for (const length of [100, null]) {
      const body = { stream: Readable.from(half()), length };
      const coordinator = await start(answering(() => ({ kind: 'answered', status: 200, type: 'application/protobuf', body })));
      await expect(rawCall(coordinator, scan())).rejects.toThrow();
    }
  });

  test('have room of their own: scans keep nobody from telling what was removed', async () => {
    const gate = Promise.withResolvers<undefined>();
    const done = answering(() => ({ kind: 'answered', status: 200, type: 'application/protobuf', body: bodyOf('done') }));
    const waiting: TrivyServer['pass'] = async (call, signal) => {
      await gate.promise;
      return done(call, signal);
    };
    const limits = { maxTrivyCalls: 2, maxTrivyBytesInFlight: 1_000, maxCallsPerWorker: 3 };
    const coordinator = await start(waiting, limits);
    const first = rawCall(coordinator, putBlob(Buffer.alloc(900)));
    await eventually(() => coordinator.passed).toHaveLength(1);
    expect(outcome(await rawCall(coordinator, putBlob(Buffer.alloc(200))))).toBe('503 busy');
    const second = rawCall(coordinator, putBlob(Buffer.alloc(10)));
    await eventually(() => coordinator.passed).toHaveLength(2);
    expect(outcome(await rawCall(coordinator, scan()))).toBe('503 busy');
    for (let call = 0; call < 3; call++) expect((await rawCall(coordinator)).status).toBe(200);
    gate.resolve(undefined);
    expect((await Promise.all([first, second])).map(({ status }) => status)).toEqual([200, 200]);
    await eventually(() => coordinator.server.bytesInFlight).toBe(0);
  });

  test('who goes away ends what was asked for', async () => {
    const signals: AbortSignal[] = [];
    const coordinator = await start((_, signal) => {
      signals.push(signal);
      return new Promise(() => undefined);
    });
    const gone = new AbortController();
    const call = rawCall(coordinator, { ...scan(), tls: { signal: gone.signal } });
    await eventually(() => signals).toHaveLength(1);
    gone.abort();
    await expect(call).rejects.toThrow();
    await eventually(() => signals[0]?.aborted).toBe(true);
  });
});

describe('the way to the server', () => {
  async function serve(listener: RequestListener): Promise<{ readonly url: string; readonly server: Server }> {
    const server = createServer(listener).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
  }
  const { signal } = new AbortController();
  const VERSION: TrivyServerCall = { method: 'GET', path: 'version', body: Buffer.alloc(0) };

  test('no token of a worker goes there', async () => {
    const seen: unknown[] = [];
    const { url } = await serve((request, response) => {
      seen.push([request.url, request.headers]);
      response.end('{}');
    });
    const coordinator = await startCoordinator();
    const connection = connectTrivyServer(url);
    onTestFinished(() => connection.close());
    coordinator.controller.trivy = connection;
    expect((await rawCall(coordinator, scan())).status).toBe(200);
    expect(seen).toHaveLength(2);
    expect(JSON.stringify(seen)).toContain('/twirp/trivy.scanner.v1.Scanner/Scan');
    expect(JSON.stringify(seen)).not.toContain(TOKEN);
  });

  test('a large answer is never whole in memory', async () => {
    const MiB = 1024 * 1024;
    const sent = { bytes: 0 };
    const { url } = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'application/protobuf', 'content-length': 64 * MiB });
      const chunk = Buffer.alloc(MiB);
      const more = (): void => {
        while (sent.bytes < 64 * MiB) {
          sent.bytes += MiB;
          if (!response.write(chunk)) return void response.once('drain', more);
        }
        response.end();
      };
      more();
    });
    const connection = connectTrivyServer(url);
    onTestFinished(() => connection.close());
    const answer = await connection.pass(VERSION, signal);
    if (answer.kind === 'away' || Buffer.isBuffer(answer.body)) throw new Error('no stream');
    await new Promise((resolve) => setTimeout(resolve, 200));
    // What the sockets of both sides hold.
    expect(sent.bytes).toBeLessThan(16 * MiB);
    let read = 0;
    for await (const chunk of answer.body.stream as AsyncIterable<Buffer>) read += chunk.length;
    expect([answer.body.length, read]).toEqual([64 * MiB, 64 * MiB]);
  });

  test('a connection that the server has closed meanwhile is no fault', async () => {
    const sockets: Socket[] = [];
    let calls = 0;
    const { url, server } = await serve((request, response) => {
      calls += 1;
      // As a server that closes an idle connection in the moment in which it is used again.
      if (calls === 2) request.socket.destroy();
      else response.writeHead(200, { 'content-length': 2 }).end('{}');
    });
    server.on('connection', (socket: Socket) => sockets.push(socket));
    const connection = connectTrivyServer(url);
    onTestFinished(() => connection.close());
    for (let call = 0; call < 2; call++) {
      expect(await connection.pass(VERSION, signal)).toMatchObject({ kind: 'answered', body: Buffer.from('{}') });
    }
    expect([calls, sockets.length]).toEqual([3, 2]);
  });

  test('one that breaks off a small answer is away, and aborted meanwhile there is none', async () => {
    const begun: Socket[] = [];
    const { url } = await serve((request, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('{');
      begun.push(request.socket);
    });
    const connection = connectTrivyServer(url);
    onTestFinished(() => connection.close());
    const answer = connection.pass(VERSION, signal);
    await vi.waitFor(() => expect(begun).toHaveLength(1));
    begun[0]?.destroy();
    expect(await answer).toMatchObject({ kind: 'away' });
    const stop = new AbortController();
    const aborted = connection.pass(VERSION, stop.signal);
    await vi.waitFor(() => expect(begun).toHaveLength(2));
    stop.abort(new Error('the caller is gone'));
    await expect(aborted).rejects.toThrow('the caller is gone');
  });

  test('nobody there, or one that hangs: away, or as long as the caller waits', async () => {
    const nobody = connectTrivyServer('http://127.0.0.1:1');
    expect(await nobody.pass(VERSION, signal)).toMatchObject({ kind: 'away', why: expect.stringContaining('ECONNREFUSED') as string });
    const { url } = await serve(() => undefined);
    const connection = connectTrivyServer(url);
    onTestFinished(() => connection.close());
    await expect(connection.pass(VERSION, AbortSignal.timeout(100))).rejects.toMatchObject({ name: 'TimeoutError' });
  });
});
