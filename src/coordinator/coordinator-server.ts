import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { Socket, type AddressInfo } from 'node:net';
import { RoomError } from '../platform/errors.ts';
import type { Timing } from '../platform/timing.ts';
import { bindCalls } from './calls/bind-calls.ts';
import { Gate } from './gate.ts';
import type { WorkerCredentials } from './identify-worker.ts';
import { DEFAULT_LIMITS, type CoordinatorLimits } from './limits.ts';
import type { KeyedCertificate } from './pki/issue-certificate.ts';
import type { CoordinatorPorts, OnCoordinatorEvent } from './ports.ts';
import { CallServer } from './serve-call.ts';
import { Slots } from './slots.ts';

export interface CoordinatorServerOptions {
  readonly ports: CoordinatorPorts;
  readonly credentials: WorkerCredentials;
  readonly identity: KeyedCertificate;
  readonly limits?: Partial<CoordinatorLimits>;
  readonly timing: Timing;
  /** Milliseconds since the epoch. */
  readonly wallNow: () => number;
  readonly onEvent: OnCoordinatorEvent;
}

/** The address cannot be listened on. */
export class CoordinatorServerError extends RoomError<'listen-failed'> {}

/** Workers are of our own make: none needs an older version. */
const TLS_VERSION = 'TLSv1.3';

/** The coordinator's HTTPS server. It serves from `listen` until `close`. */
export class CoordinatorServer {
  readonly #server: Server;
  readonly #calls: CallServer;
  /** Those too that have not shown more of themselves than that. */
  readonly #sockets = new Set<Socket>();

  constructor({ ports, credentials, identity, limits: given = {}, timing, wallNow, onEvent }: CoordinatorServerOptions) {
    const limits = { ...DEFAULT_LIMITS, ...given };
    const gate = new Gate({ ports, credentials, limits, timing });
    this.#calls = new CallServer({ gate, calls: bindCalls(ports, limits, { wallNow, timing }), limits, onEvent });
    this.#server = createServer({
      cert: identity.certificate,
      key: identity.key,
      minVersion: TLS_VERSION,
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.headersTimeoutMs,
      handshakeTimeout: limits.headersTimeoutMs,
      requestTimeout: LONGEST_REQUEST_MS,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: limits.checkIntervalMs,
    });
    // A connection that could not be taken; who wanted it tries again.
    this.#server.on('error', (error) => onEvent({ kind: 'call-failed', path: '', pod: null, error }));
    this.#server.maxConnections = limits.maxConnections;
    this.#limitAddresses(limits.maxConnectionsPerAddress);
    const serve = (request: IncomingMessage, response: ServerResponse): void => void this.#calls.serve(request, response);
    this.#server.on('request', serve);
    // A client that waits to be asked for its body.
    this.#server.on('checkContinue', serve);
  }

  /** @throws CoordinatorServerError */
  async listen(address: { readonly host: string; readonly port: number }): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause) => {
        const message = `The coordinator cannot listen on ${address.host}:${address.port}: ${cause.message}`;
        reject(new CoordinatorServerError({ code: 'listen-failed', message, action: 'retry', cause }));
      });
      this.#server.listen(address.port, address.host, resolve);
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Bytes of bodies and answers in memory. */
  get bytesInFlight(): number {
    return this.#calls.bytesInFlight;
  }

  /** Connections made from now on see this certificate; those that are open stay. */
  useIdentity({ certificate, key }: KeyedCertificate): void {
    this.#server.setSecureContext({ cert: certificate, key, minVersion: TLS_VERSION });
  }

  /** No call is taken from now on. Those under way have so long to end; then all connections are cut. */
  async close(graceMs: number): Promise<void> {
    this.#calls.beginClosing();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const cut = setTimeout(() => this.#sockets.forEach((socket) => socket.destroy()), graceMs);
    await closed;
    clearTimeout(cut);
  }

  #limitAddresses(most: number): void {
    const connections = new Slots(Number.MAX_SAFE_INTEGER, most);
    this.#server.on('connection', (socket) => {
      if (!(socket instanceof Socket)) return;
      const release = connections.take(socket.remoteAddress ?? '');
      if (release === null) {
        socket.destroy();
        return;
      }
      this.#sockets.add(socket);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        release();
      });
    });
  }
}

/** Each part of a request has a limit of its own; this is for what slips through. */
const LONGEST_REQUEST_MS = 150_000;
