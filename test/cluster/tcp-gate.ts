import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface TcpGate {
  readonly port: number;
  /** Cuts what goes through, and lets nothing in. */
  readonly shut: () => void;
  readonly open: () => void;
  /** Takes connections, as before, and lets nothing through in either direction: as a network that loses all packets. */
  readonly freeze: () => void;
  /** What was on its way goes on. */
  readonly thaw: () => void;
  /** Connections that were made so far. */
  readonly connections: () => number;
  readonly close: () => void;
  /** Bytes that clients have sent so far. */
  readonly sentBytes: () => number;
}

/** A way to a port of this machine, or to what is its port at the time, that can be cut. */
export async function startTcpGate(port: number | (() => number)): Promise<TcpGate> {
  const sockets = new Set<Socket>();
  const pairs = new Set<readonly [near: Socket, far: Socket]>();
  let isOpen = true;
  let isFrozen = false;
  let sent = 0;
  let connections = 0;
  const flow = ([near, far]: readonly [Socket, Socket]): void => {
    near.pipe(far).pipe(near);
  };
  const server = createServer((near) => {
    connections += 1;
    if (!isOpen) {
      near.destroy();
      return;
    }
    const far = connect(typeof port === 'number' ? port : port(), '127.0.0.1');
    const pair = [near, far] as const;
    pairs.add(pair);
    for (const socket of pair) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        pairs.delete(pair);
        near.destroy();
        far.destroy();
      });
    }
    if (!isFrozen) flow(pair);
    near.on('data', (chunk) => (sent += chunk.length));
    if (isFrozen) near.pause();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    shut: () => {
      isOpen = false;
      cut();
    },
    open: () => (isOpen = true),
    freeze: () => {
      isFrozen = true;
      for (const [near, far] of pairs) {
        near.unpipe(far).pause();
        far.unpipe(near).pause();
      }
    },
    thaw: () => {
      isFrozen = false;
      for (const pair of pairs) flow(pair);
    },
    connections: () => connections,
    close: () => {
      cut();
      server.close();
    },
    sentBytes: () => sent,
  };
}
