import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { connect, createSecureContext, createServer, type SecureContext, type TLSSocket } from 'node:tls';
import type { Certificate } from '../../lab/certificates.ts';

/** Speaks for a server of this machine, with a certificate that can be exchanged. */
export interface TlsFront {
  readonly port: number;
  /** Ends all connections; the next ones are shown that certificate. */
  exchange(certificate: Certificate): void;
  close(): void;
}

export async function startTlsFront(port: number, certificate: Certificate): Promise<TlsFront> {
  const sockets = new Set<TLSSocket>();
  let context = contextOf(certificate);
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer({ SNICallback: (_, done) => done(null, context) }, (near) => {
    // Whom it speaks for is not in question here.
    const far = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far).pipe(near);
  });
  server.setSecureContext(filesOf(certificate));
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    exchange: (next) => {
      context = contextOf(next);
      server.setSecureContext(filesOf(next));
      cut();
    },
    close: () => {
      cut();
      server.close();
    },
  };
}

function filesOf({ certificate, key }: Certificate): { readonly cert: Buffer; readonly key: Buffer } {
  return { cert: readFileSync(certificate), key: readFileSync(key) };
}

function contextOf(certificate: Certificate): SecureContext {
  return createSecureContext(filesOf(certificate));
}
