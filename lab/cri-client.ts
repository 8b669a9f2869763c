import type { Client } from '@connectrpc/connect';
import { createClient } from '@connectrpc/connect';
import { Http2SessionManager, createGrpcTransport } from '@connectrpc/connect-node';
import { connect } from 'node:net';
import { ImageService, RuntimeService } from '../src/cri/gen/cri_pb.js';

/** The runtime as the kubelet sees it. The lab's own client, so that a test can look at the runtime from outside of what it tests. */
export interface CriClient {
  readonly runtime: Client<typeof RuntimeService>;
  readonly images: Client<typeof ImageService>;
  /** Ends the connection; the next call makes a new one. */
  close(): void;
}

/** A client of the Container Runtime Interface on a unix socket. Connects with the first call, and again after the runtime's restart. */
export function connectCri(socket: string): CriClient {
  const baseUrl = 'http://localhost';
  const sessionManager = new Http2SessionManager(baseUrl, {}, { createConnection: () => connect(socket) });
  const transport = createGrpcTransport({ baseUrl, sessionManager });
  return {
    runtime: createClient(RuntimeService, transport),
    images: createClient(ImageService, transport),
    close: () => {
      sessionManager.abort();
    },
  };
}
