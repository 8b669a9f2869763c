import type { Transport } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { UnixSession } from './unix-session.ts';

export interface RuntimeTransport {
  readonly transport: Transport;
  /** Ends the connection and every call on it. */
  close(): void;
}

/** gRPC over a unix socket. Connects at the first call, and again by itself at the first call after the connection was lost. */
export function openTransport(socketPath: string): RuntimeTransport {
  const session = new UnixSession(socketPath);
  return {
    // Compression costs processor time and saves nothing on a local socket.
    transport: createGrpcTransport({ baseUrl: session.authority, sessionManager: session, acceptCompression: [] }),
    close: () => {
      session.close();
    },
  };
}
