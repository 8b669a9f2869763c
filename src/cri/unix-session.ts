import http2 from 'node:http2';
import net from 'node:net';

/**
 * One HTTP/2 connection over a unix socket, opened when a request needs it and it is not there, as at first and after a restart of the
 * server. In place of connect-node's own, whose connection can raise an error after nobody listens any more, which would end the process.
 */
export class UnixSession {
  /** What gRPC servers on a unix socket accept; some refuse the socket's path. */
  readonly authority = 'http://localhost';
  readonly #socketPath: string;
  #session: Promise<http2.ClientHttp2Session> | undefined;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  async request(
    method: string,
    path: string,
    headers: http2.OutgoingHttpHeaders,
    options: Omit<http2.ClientSessionRequestOptions, 'signal'>,
  ): Promise<http2.ClientHttp2Stream> {
    const session = await (this.#session ??= this.#connect());
    const stream = session.request({ ...headers, ':method': method, ':path': path }, options);
    // An idle connection does not keep the process alive, a call does.
    openStreams.set(session, (openStreams.get(session) ?? 0) + 1);
    session.ref();
    stream.once('close', () => {
      const left = (openStreams.get(session) ?? 1) - 1;
      openStreams.set(session, left);
      if (left === 0) session.unref();
    });
    return stream;
  }

  /** For keep-alive by ping, which a local socket does not need: its end is always noticed. */
  notifyResponseByteRead(): void {
    // Nothing to do.
  }

  close(): void {
    const session = this.#session;
    this.#session = undefined;
    session?.then(
      (open) => {
        open.destroy();
      },
      () => undefined,
    );
  }

  #connect(): Promise<http2.ClientHttp2Session> {
    const session = http2.connect(this.authority, { createConnection: () => net.connect(this.#socketPath) });
    const connecting = new Promise<http2.ClientHttp2Session>((resolve, reject) => {
      session.once('connect', () => {
        session.unref();
        resolve(session);
      });
      // Stays for the life of the session: the streams report its errors.
      session.on('error', reject);
    });
    const forget = (): void => {
      if (this.#session === connecting) this.#session = undefined;
    };
    session.once('close', forget);
    // The server is about to stop: calls under way may end, new ones need a new connection.
    session.once('goaway', forget);
    connecting.catch(forget);
    return connecting;
  }
}

const openStreams = new WeakMap<http2.ClientHttp2Session, number>();
