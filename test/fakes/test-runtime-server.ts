import { mkdtemp, rm } from 'node:fs/promises';
import http2 from 'node:http2';
import type net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import type { ConnectRouter } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { ImageService, RuntimeService } from '../../src/cri/gen/cri_pb.js';

/** A gRPC server on a unix socket of its own, for tests: stands for a container runtime, and can be stopped and started again. */
export class TestRuntimeServer {
  readonly socketPath: string;
  readonly #routes: (router: ConnectRouter) => void;
  readonly #sessions = new Set<http2.ServerHttp2Session>();
  #server: http2.Http2Server | undefined;

  private constructor(socketPath: string, routes: (router: ConnectRouter) => void) {
    this.socketPath = socketPath;
    this.#routes = routes;
  }

  static async start(routes: (router: ConnectRouter) => void): Promise<TestRuntimeServer> {
    const server = new TestRuntimeServer(await temporarySocketPath(), routes);
    await server.start();
    return server;
  }

  async start(): Promise<void> {
    const server = http2.createServer(connectNodeAdapter({ routes: this.#routes, connect: false, grpcWeb: false }));
    server.on('session', (session) => {
      this.#sessions.add(session);
      session.on('close', () => this.#sessions.delete(session));
    });
    this.#server = server;
    await listen(server, this.socketPath);
  }

  /** Breaks off every call under way, as a killed process does; the socket is gone. */
  async stop(): Promise<void> {
    for (const session of this.#sessions) if (!session.destroyed) session.socket.destroy();
    await new Promise((resolve) => this.#server?.close(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(path.dirname(this.socketPath), { recursive: true });
  }
}

export interface TestRuntimeVersion {
  readonly runtimeName: string;
  readonly runtimeVersion: string;
}

export const CONTAINERD: TestRuntimeVersion = { runtimeName: 'containerd', runtimeVersion: '2.2.3' };
export const CRI_O: TestRuntimeVersion = { runtimeName: 'cri-o', runtimeVersion: '1.35.0' };

type RuntimeCalls = Parameters<typeof routeRuntime>[1];
type ImageCalls = Parameters<typeof routeImages>[1];

/** A runtime with these calls; all others are unimplemented. */
export function startTestRuntime(
  version: TestRuntimeVersion,
  calls: { readonly runtime?: RuntimeCalls; readonly images?: ImageCalls; readonly others?: (router: ConnectRouter) => void },
): Promise<TestRuntimeServer> {
  return TestRuntimeServer.start((router) => {
    routeRuntime(router, { version: () => version, ...calls.runtime });
    routeImages(router, calls.images ?? {});
    calls.others?.(router);
  });
}

function routeRuntime(router: ConnectRouter, calls: Parameters<typeof router.service<typeof RuntimeService>>[1]): void {
  router.service(RuntimeService, calls);
}

function routeImages(router: ConnectRouter, calls: Parameters<typeof router.service<typeof ImageService>>[1]): void {
  router.service(ImageService, calls);
}

export async function temporarySocketPath(): Promise<string> {
  return path.join(await mkdtemp(path.join(os.tmpdir(), 'cri-test-')), 'runtime.sock');
}

export function listen(server: net.Server, socketPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, resolve);
  });
}
