import { once } from 'node:events';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FakeTiming } from '../../test/fakes/fake-timing.ts';
import { SYSTEM_TIMING, type Timing } from '../platform/timing.ts';
import { RpcClient, type RpcServer } from './rpc-client.ts';

const { signal } = new AbortController();

async function start(listener: RequestListener, options: Partial<RpcServer> = {}): Promise<RpcClient> {
  const server = createServer(listener);
  server.on('checkContinue', listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new RpcClient({
    base: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`),
    token: () => Promise.resolve(''),
    tokenHeader: 'Authorization',
    ca: () => Promise.resolve([]),
    proxies: null,
    timeoutMs: 5_000,
    maxAnswerBytes: 1_000,
    broken: null,
    patience: { ms: 60_000, timing: SYSTEM_TIMING },
    ...options,
  });
  onTestFinished(() => {
    client.close();
    server.close();
    server.closeAllConnections();
  });
  return client;
}

function problem(response: ServerResponse, status: number, { detail = 'why', headers = {} } = {}): void {
  response.writeHead(status, { 'content-type': 'application/problem+json', ...headers }).end(JSON.stringify({ status, detail }));
}

function done(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/protobuf' }).end('done');
}

describe('what stands before the server', () => {
  test.each([429, 503])('asks to wait (%i): the call comes again after that pause', async (status) => {
    const timing = new FakeTiming(() => 0);
    let calls = 0;
    const client = await start(
      (_, response) => {
        calls += 1;
        if (calls === 1) problem(response, status, { headers: { 'retry-after': '7' } });
        else done(response);
      },
      { patience: { ms: 60_000, timing } },
    );
    const answer = client.call('scan', Buffer.from('x'), signal);
    while (calls === 0) await timing.settle();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await timing.advance(6_900);
    expect(calls).toBe(1);
    await timing.advance(300);
    expect(await answer).toMatchObject({ kind: 'answered' });
  });

  test('says for too long that the server is away: a fault with its words', async () => {
    const soon: Timing = { ...SYSTEM_TIMING, random: () => 0 };
    const client = await start((_, response) => problem(response, 503, { detail: 'It is away.' }), { patience: { ms: 250, timing: soon } });
    await expect(client.get('version', signal)).rejects.toMatchObject({
      name: 'ScannerFault',
      code: 'server-failed',
      action: 'retry',
      message: expect.stringContaining('It is away.') as string,
    });
  });

  test('refuses one call as too large: that is about one image, and of a form that Trivy reads', async () => {
    let bytes = 0;
    const client = await start((request, response) => {
      request.on('data', (chunk: Buffer) => (bytes += chunk.length));
      problem(response, 413, { detail: 'The body is too large.', headers: { connection: 'close' } });
    });
    const answer = await client.call('put', Buffer.alloc(8 * 1024 * 1024), signal);
    expect(answer).toMatchObject({ kind: 'refused', status: 413, message: 'The body is too large.' });
    expect(JSON.parse((answer as { body: Buffer }).body.toString())).toEqual({ code: 'malformed', msg: 'The body is too large.' });
    // It was refused by its headers.
    expect(bytes).toBe(0);
  });

  test('refuses the caller: a fault at once, with its words and no token', async () => {
    let calls = 0;
    const client = await start(
      (_, response) => {
        calls += 1;
        problem(response, 403, { detail: 'The run is over.' });
      },
      { token: () => Promise.resolve('Bearer secret') },
    );
    for (const fault of [client.call('scan', Buffer.from('x'), signal), client.get('version', signal)]) {
      const error: unknown = await fault.catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'server-refused', message: expect.stringContaining('The run is over.') as string });
      expect(String(error)).not.toContain('secret');
    }
    expect(calls).toBe(2);
  });

  test('refuses a token that was renewed meanwhile: the new one is sent', async () => {
    const tokens = ['old', 'new', 'new', 'new'];
    const seen: unknown[] = [];
    const client = await start(
      (request, response) => {
        seen.push(request.headers.authorization);
        if (request.headers.authorization === 'old') problem(response, 403);
        else done(response);
      },
      { token: () => Promise.resolve(tokens.shift() ?? '') },
    );
    expect(await client.call('scan', Buffer.from('x'), signal)).toMatchObject({ kind: 'answered' });
    expect(seen).toEqual(['old', 'new']);
  });
});

test('a large body is sent once it is asked for', async () => {
  let bytes = 0;
  const client = await start((request, response) => {
    if (request.headers.expect !== undefined) response.writeContinue();
    request.on('data', (chunk: Buffer) => (bytes += chunk.length)).once('end', () => done(response));
  });
  expect(await client.call('put', Buffer.alloc(2 * 1024 * 1024), signal)).toMatchObject({ kind: 'answered' });
  expect(bytes).toBe(2 * 1024 * 1024);
});

test('without patience, one that is away is a fault at once', async () => {
  let calls = 0;
  const client = await start(
    (_, response) => {
      calls += 1;
      problem(response, 503, { headers: { 'retry-after': '1' } });
    },
    { patience: null },
  );
  await expect(client.get('version', signal)).rejects.toMatchObject({ code: 'server-failed' });
  expect(calls).toBe(1);
});

test('an address at which nobody takes the connection is not waited for long', async () => {
  const silent = createTcpServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  onTestFinished(() => void silent.close());
  const base = new URL(`https://127.0.0.1:${(silent.address() as AddressInfo).port}/`);
  const client = await start(() => undefined, { base, connectTimeoutMs: 100, patience: null });
  await expect(client.call('scan', Buffer.from('x'), signal)).rejects.toMatchObject({
    code: 'server-unreachable',
    message: expect.stringContaining('no connection within 0.1 s') as string,
  });
});

test('calls that wait for a connection of another have all of their time', async () => {
  const options = { connectTimeoutMs: 2_000, timeoutMs: 20_000, patience: null };
  const client = await start((_, response) => void setTimeout(() => done(response), 2_500), options);
  const answers = await Promise.all(Array.from({ length: 20 }, () => client.call('scan', Buffer.from('x'), signal)));
  expect(new Set(answers.map(({ kind }) => kind))).toEqual(new Set(['answered']));
});

test('an end that is wished for is not waited for', async () => {
  const stop = new AbortController();
  const client = await start((_, response) => problem(response, 503, { headers: { 'retry-after': '30' } }));
  const answer = client.get('version', stop.signal);
  setTimeout(() => stop.abort(new Error('stopped')), 50);
  await expect(answer).rejects.toThrow('stopped');
});
