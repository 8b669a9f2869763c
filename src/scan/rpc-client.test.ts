import { once } from 'node:events';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { RpcClient, type RpcServer } from './rpc-client.ts';

const { signal } = new AbortController();

async function start(listener: RequestListener, options: Partial<RpcServer> = {}): Promise<RpcClient> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new RpcClient({
    base: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`),
    token: '',
    tokenHeader: 'Authorization',
    ca: [],
    proxies: null,
    timeoutMs: 5_000,
    maxAnswerBytes: 1_000,
    broken: null,
    ...options,
  });
  onTestFinished(() => {
    client.close();
    server.close();
    server.closeAllConnections();
  });
  return client;
}

function done(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/protobuf' }).end('done');
}

test.each([401, 403])('a token that is refused (%i) is a fault that does not name it', async (status) => {
  const client = await start((_, response) => response.writeHead(status).end(), { token: 'secret' });
  const error: unknown = await client.call('scan', Buffer.from('x'), signal).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: 'ScannerFault', code: 'server-refused' });
  expect(String(error)).not.toContain('secret');
});

test('one that is away is a fault at once', async () => {
  let calls = 0;
  const client = await start((_, response) => {
    calls += 1;
    response.writeHead(503, { 'retry-after': '1' }).end();
  });
  await expect(client.get('version', signal)).rejects.toMatchObject({ code: 'server-failed', action: 'retry' });
  expect(calls).toBe(1);
});

test('an address at which nobody takes the connection is not waited for long', async () => {
  const silent = createTcpServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  onTestFinished(() => void silent.close());
  const base = new URL(`https://127.0.0.1:${(silent.address() as AddressInfo).port}/`);
  const client = await start(() => undefined, { base, connectTimeoutMs: 100 });
  await expect(client.call('scan', Buffer.from('x'), signal)).rejects.toMatchObject({
    code: 'server-unreachable',
    message: expect.stringContaining('no connection within 0.1 s') as string,
  });
});

test('calls that wait for a connection of another have all of their time', async () => {
  const options = { connectTimeoutMs: 2_000, timeoutMs: 20_000 };
  const client = await start((_, response) => void setTimeout(() => done(response), 2_500), options);
  const answers = await Promise.all(Array.from({ length: 20 }, () => client.call('scan', Buffer.from('x'), signal)));
  expect(new Set(answers.map(({ kind }) => kind))).toEqual(new Set(['answered']));
});

test('an end that is wished for is not waited for', async () => {
  const stop = new AbortController();
  const client = await start(() => undefined);
  const answer = client.get('version', stop.signal);
  setTimeout(() => stop.abort(new Error('stopped')), 50);
  await expect(answer).rejects.toThrow('stopped');
});
