import { rmSync } from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { Code, ConnectError } from '@connectrpc/connect';
import { afterEach, describe, expect, test } from 'vitest';
import { connectInTest } from '../../test/fakes/connect-in-test.ts';
import { connectToRuntime } from './connect-to-runtime.ts';
import { RuntimeService as OldRuntimeService } from './gen/cri_v1alpha2_pb.js';
import { CONTAINERD, listen, startTestRuntime, temporarySocketPath, TestRuntimeServer } from '../../test/fakes/test-runtime-server.ts';

const signal = AbortSignal.timeout(30_000);
const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanUp of cleanups.splice(0)) cleanUp();
});

async function listenRaw(server: net.Server): Promise<string> {
  const socketPath = await temporarySocketPath();
  await listen(server, socketPath);
  cleanups.push(() => {
    server.close();
    rmSync(path.dirname(socketPath), { recursive: true });
  });
  return socketPath;
}

describe('connectToRuntime', () => {
  test('connects to a runtime and tells its version', async () => {
    await using server = await startTestRuntime(CONTAINERD, {});
    using runtime = await connectInTest({ socketPath: server.socketPath }, signal);
    expect(await runtime.version(signal)).toEqual({ name: 'containerd', version: '2.2.3' });
  });

  test.each(['/nowhere/runtime.sock', '/tmp/no-such-runtime.sock'])('no socket: %s', async (socketPath) => {
    const failure = connectToRuntime({ socketPath }, signal);
    await expect(failure).rejects.toMatchObject({ code: 'no-socket', action: 'give-up' });
    await expect(failure).rejects.toThrow(socketPath);
  });

  test('a socket that nothing listens on', async () => {
    const socketPath = await temporarySocketPath();
    await writeFile(socketPath, '');
    cleanups.push(() => {
      rmSync(path.dirname(socketPath), { recursive: true });
    });
    await expect(connectToRuntime({ socketPath }, signal)).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('no permission', async () => {
    await using server = await startTestRuntime(CONTAINERD, {});
    await chmod(server.socketPath, 0);
    // Root may open any socket: be another user for the moment.
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65534);
    try {
      await expect(connectToRuntime({ socketPath: server.socketPath }, signal)).rejects.toMatchObject({ code: 'permission-denied' });
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  test('a server that never answers runs into the deadline', async () => {
    const sockets: net.Socket[] = [];
    const socketPath = await listenRaw(net.createServer((socket) => sockets.push(socket)));
    const failure = connectToRuntime({ socketPath, deadlineMs: 200 }, signal);
    await expect(failure).rejects.toMatchObject({ code: 'deadline-exceeded', action: 'retry' });
    for (const socket of sockets) socket.destroy();
  });

  test('a server that hangs up is not a runtime', async () => {
    const socketPath = await listenRaw(net.createServer((socket) => socket.end()));
    await expect(connectToRuntime({ socketPath }, signal)).rejects.toMatchObject({ code: 'not-a-runtime' });
  });

  test('a server of HTTP/1, such as Docker, is not a runtime', async () => {
    const socketPath = await listenRaw(http.createServer((_request, response) => response.end('{}')));
    await expect(connectToRuntime({ socketPath }, signal)).rejects.toMatchObject({ code: 'not-a-runtime' });
  });

  test('a gRPC server of another kind is not a runtime', async () => {
    await using server = await TestRuntimeServer.start(() => undefined);
    const failure = connectToRuntime({ socketPath: server.socketPath }, signal);
    await expect(failure).rejects.toMatchObject({ code: 'not-a-runtime' });
    await expect(failure).rejects.toHaveProperty('hint', expect.stringContaining('disabled_plugins'));
  });

  test('a runtime with CRI v1alpha2 only is named as such', async () => {
    await using server = await TestRuntimeServer.start((router) => {
      router.service(OldRuntimeService, { version: () => ({ runtimeName: 'containerd', runtimeVersion: '1.4.13' }) });
    });
    const failure = connectToRuntime({ socketPath: server.socketPath }, signal);
    await expect(failure).rejects.toMatchObject({ code: 'unsupported-version' });
    await expect(failure).rejects.toThrow('containerd 1.4.13');
  });

  test.each([Code.Unknown, Code.Unavailable])('a runtime that is still starting is waited for (gRPC code %i)', async (code) => {
    let asked = 0;
    const version = () => {
      if (++asked < 3) throw new ConnectError('server is not initialized yet', code);
      return CONTAINERD;
    };
    await using server = await startTestRuntime(CONTAINERD, { runtime: { version } });
    using runtime = await connectInTest({ socketPath: server.socketPath }, signal);
    expect(await runtime.version(signal)).toMatchObject({ name: 'containerd' });
  });

  test('an abort is thrown with its own reason', async () => {
    const sockets: net.Socket[] = [];
    const socketPath = await listenRaw(net.createServer((socket) => sockets.push(socket)));
    const reason = new Error('stop');
    const aborting = new AbortController();
    setTimeout(() => {
      aborting.abort(reason);
    }, 100);
    await expect(connectToRuntime({ socketPath }, aborting.signal)).rejects.toBe(reason);
    for (const socket of sockets) socket.destroy();
  });
});
