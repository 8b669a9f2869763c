import http2 from 'node:http2';
import net from 'node:net';

/**
 * One HTTP/2 connection over a unix socket, opened when a request needs it and it is not there, as at first and after a restart of the
 * server.
 */
export class UnixSession {
  readonly #socketPath: string;
  #session: Promise<http2.ClientHttp2Session> | undefined;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Listen to the stream at once: an error that nobody listens to ends the process. */
  async request(headers: http2.OutgoingHttpHeaders): Promise<http2.ClientHttp2Stream> {
    const session = await (this.#session ??= this.#connect());
    const stream = session.request(headers);
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
    const session = http2.connect(AUTHORITY, { createConnection: () => net.connect(this.#socketPath) });
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

/** What gRPC servers on a unix socket accept; some refuse the socket's path. */
const AUTHORITY = 'http://localhost';

const openStreams = new WeakMap<http2.ClientHttp2Session, number>();
