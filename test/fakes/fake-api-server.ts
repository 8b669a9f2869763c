import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createSecureServer, type Http2SecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { kubeObjectSchema, type KubeObject } from '../../src/kube/kube-object.ts';
import { DISCOVERY_PATH, KEYS_PATH } from '../../src/kube/resource.ts';
import { inNamespace, keyOf, lineFor, matches, parseToken, type Place, placeOf } from './api-place.ts';
import { Refusal, statusOf } from './api-refusal.ts';
import { type Change, ObjectHistory } from './object-history.ts';
import { jsonPatch, type JsonOperation, leavesOf, mergePatch, valueAt } from './object-patches.ts';
import { TEST_AUTHORITY, TEST_CERTIFICATE, TEST_CERTIFICATE_KEY } from './test-certificates.ts';

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

/** What one request that fits gets, instead of its answer. */
export type Fault =
  | { readonly kind: 'answer'; readonly statusCode: number; readonly headers?: Record<string, string>; readonly body?: string }
  /** Nothing at all. */
  | { readonly kind: 'stall' }
  /** The connection is cut before an answer, after the request was carried out if `executed`. */
  | { readonly kind: 'reset'; readonly executed?: boolean }
  | { readonly kind: 'slow'; readonly ms: number }
  /** Of a watch: after its first event, half of the next line and then an end or a reset. */
  | { readonly kind: 'cut-line'; readonly reset: boolean };

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly contentType: string;
  readonly authorization: string;
  readonly httpVersion: string;
}

interface Outstanding {
  readonly fits: (request: SeenRequest) => boolean;
  readonly fault: Fault;
}

/**
 * The part of a Kubernetes API server that this project's client uses, for any resource: CRUD, pages, watches, patches, status; over TLS,
 * with HTTP/2 on offer as the real one has it. Faults are asked for one by one.
 */
export class FakeApiServer {
  readonly history: ObjectHistory;
  readonly requests: SeenRequest[] = [];
  connections = 0;
  openWatches = 0;
  /** Watches among them. */
  openRequests = 0;
  /** Accepted bearer tokens; null: all. */
  tokens: Set<string> | null = null;
  /** What is no object of a resource, by path. */
  readonly documents = new Map<string, unknown>([
    [DISCOVERY_PATH, { issuer: 'https://kubernetes.default.svc' }],
    [KEYS_PATH, { keys: [{ kty: 'EC', kid: 'nobodys' }] }],
  ]);
  /** Of the tokens in TokenReviews. */
  readonly reviews = new Map<string, object>();
  readonly #server: Http2SecureServer;
  readonly #sockets = new Set<Socket>();
  readonly #watches = new Set<{ readonly response: Response; readonly bookmark: () => void }>();
  readonly #faults: Outstanding[] = [];
  readonly #managers = new Map<string, Map<string, string>>();

  static readonly authority = TEST_AUTHORITY;

  constructor(history = new ObjectHistory()) {
    this.history = history;
    this.#server = createSecureServer({ allowHTTP1: true, cert: TEST_CERTIFICATE, key: TEST_CERTIFICATE_KEY });
    this.#server.on('secureConnection', () => (this.connections += 1));
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => undefined);
    });
    this.#server.on('request', (request, response) => void this.#serve(request, response));
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  async start(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    return this;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** The next request that fits gets this. Each fault is met once. */
  failNext(fault: Fault, fits: (request: SeenRequest) => boolean = () => true): void {
    this.#faults.push({ fits, fault });
  }

  /** To all watches. */
  sendBookmarks(): void {
    for (const watch of this.#watches) watch.bookmark();
  }

  /** As the API server does after timeoutSeconds. */
  endWatches(): void {
    for (const { response } of this.#watches) response.end();
  }

  cutConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  put(collection: string, object: KubeObject): KubeObject {
    const { namespace = null, name } = object.metadata;
    const key = keyOf(namespace, name);
    const uid = this.history.get(collection, key)?.metadata.uid ?? randomUUID();
    return this.history.put(collection, key, { ...object, metadata: { ...object.metadata, uid } });
  }

  async #serve(request: Request, response: Response): Promise<void> {
    const url = new URL(request.url ?? '/', 'https://localhost');
    const seen: SeenRequest = {
      method: request.method ?? 'GET',
      path: url.pathname,
      query: url.searchParams,
      contentType: request.headers['content-type'] ?? '',
      authorization: request.headers.authorization ?? '',
      httpVersion: request.httpVersion,
    };
    this.requests.push(seen);
    this.openRequests += 1;
    response.on('close', () => (this.openRequests -= 1));
    const at = this.#faults.findIndex(({ fits }) => fits(seen));
    const fault = at < 0 ? null : (this.#faults.splice(at, 1)[0]?.fault ?? null);
    const body = await readBody(request);
    if (fault?.kind === 'stall') return;
    if (fault?.kind === 'slow') await sleep(fault.ms);
    if (fault?.kind === 'answer') {
      reply(response, fault.statusCode, fault.body ?? '', fault.headers);
      return;
    }
    if (fault?.kind === 'reset' && fault.executed !== true) return void request.socket.destroy();
    try {
      if (this.tokens !== null && !this.tokens.has(seen.authorization.replace('Bearer ', ''))) {
        throw new Refusal(401, 'Unauthorized', 'Unauthorized');
      }
      if (!/^\/apis?\//.test(url.pathname)) {
        reply(response, ...this.#document(url.pathname, request.headers.accept ?? ''));
        return;
      }
      const place = placeOf(url.pathname);
      if (seen.method === 'GET' && url.searchParams.get('watch') === 'true') {
        this.#watch(place, url.searchParams, { request, response, fault });
        return;
      }
      const answer = this.#execute(seen, place, body);
      if (fault?.kind === 'reset') return void request.socket.destroy();
      reply(response, seen.method === 'POST' ? 201 : 200, JSON.stringify(answer));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      reply(response, error.code, JSON.stringify(statusOf(error)));
    }
  }

  #document(path: string, accept: string): [statusCode: number, body: string] {
    const document = this.documents.get(path);
    if (path === KEYS_PATH && !/\*\/\*|jwk-set\+json/.test(accept)) return [406, 'Available representations: application/jwk-set+json'];
    // As the real one says of a path that it does not serve.
    return document === undefined ? [404, '404 page not found'] : [200, JSON.stringify(document)];
  }

  #execute({ method, query, contentType }: SeenRequest, place: Place, body: string): unknown {
    const parsed: unknown = body === '' ? {} : JSON.parse(body);
    if (place.collection.endsWith('/tokenreviews')) return this.#review(parsed);
    switch (method) {
      case 'GET':
        return place.name === null ? this.#list(place, query) : this.#existing(place);
      case 'POST':
        return this.#create(place, kubeObjectSchema.parse(parsed));
      case 'PUT':
        return this.#replace(place, kubeObjectSchema.parse(parsed));
      case 'PATCH':
        return this.#patch(place, { contentType, query, patch: parsed });
      case 'DELETE':
        return place.name === null ? this.#deleteCollection(place, query) : this.#delete(place, parsed);
      default:
        throw new Refusal(405, 'MethodNotAllowed', method);
    }
  }

  #review(review: unknown): unknown {
    const { spec } = review as { spec: { token: string } };
    return { ...(review as object), status: this.reviews.get(spec.token) ?? { authenticated: false, error: 'invalid bearer token' } };
  }

  #existing({ collection, namespace, name }: Place): KubeObject {
    const object = this.history.get(collection, keyOf(namespace, name ?? ''));
    if (object !== undefined) return object;
    const plural = collection.slice(collection.indexOf('/') + 1);
    throw new Refusal(404, 'NotFound', `${plural} "${name ?? ''}" not found`, { name, kind: plural });
  }

  #list(place: Place, query: URLSearchParams): unknown {
    const limit = Number(query.get('limit') ?? 0);
    const token = query.get('continue');
    const [snapshot, after] = token === null ? [this.history.version, ''] : parseToken(token);
    if (token !== null && snapshot < this.history.compactedAt) {
      throw new Refusal(410, 'Expired', 'The provided continue parameter is too old');
    }
    const matching = this.history
      .list(place.collection)
      .filter(([key, object]) => key > after && inNamespace(place, object) && matches(object, query));
    const page = limit > 0 ? matching.slice(0, limit) : matching;
    const last = page.at(-1)?.[0] ?? '';
    const rest = matching.length > page.length ? { continue: Buffer.from(JSON.stringify([snapshot, last])).toString('base64url') } : {};
    return {
      kind: 'List',
      apiVersion: 'v1',
      metadata: { resourceVersion: String(snapshot), ...rest },
      items: page.map(([, object]) => object),
    };
  }

  #create(place: Place, object: KubeObject): KubeObject {
    const { name } = object.metadata;
    if (this.history.get(place.collection, keyOf(place.namespace, name)) !== undefined) {
      throw new Refusal(409, 'AlreadyExists', `"${name}" already exists`, { name });
    }
    const metadata = { ...object.metadata, ...(place.namespace === null ? {} : { namespace: place.namespace }) };
    return this.put(place.collection, { ...object, metadata });
  }

  #replace(place: Place, object: KubeObject): KubeObject {
    const existing = this.#existing(place);
    if (object.metadata.resourceVersion !== undefined && object.metadata.resourceVersion !== existing.metadata.resourceVersion) {
      throw new Refusal(409, 'Conflict', 'the object has been modified; please apply your changes to the latest version');
    }
    return this.#store(place, existing, object);
  }

  /** Status and the rest are written apart from each other. */
  #store(place: Place, existing: KubeObject, object: KubeObject): KubeObject {
    const metadata = { ...object.metadata, uid: existing.metadata.uid, resourceVersion: existing.metadata.resourceVersion };
    const next =
      place.subresource === 'status'
        ? { ...existing, status: object['status'] }
        : { ...object, metadata, ...(existing['status'] === undefined ? {} : { status: existing['status'] }) };
    if (isDeepStrictEqual(next, existing)) return existing;
    return this.history.put(place.collection, keyOf(place.namespace, place.name ?? ''), next);
  }

  #patch(place: Place, { contentType, query, patch }: { contentType: string; query: URLSearchParams; patch: unknown }): KubeObject {
    if (contentType === 'application/apply-patch+yaml') return this.#apply(place, query, kubeObjectSchema.parse(patch));
    const existing = this.#existing(place);
    if (contentType === 'application/merge-patch+json') {
      const { resourceVersion, uid } = (patch as { metadata?: { resourceVersion?: string; uid?: string } }).metadata ?? {};
      if (
        (resourceVersion ?? existing.metadata.resourceVersion) !== existing.metadata.resourceVersion ||
        (uid ?? existing.metadata.uid) !== existing.metadata.uid
      ) {
        throw new Refusal(409, 'Conflict', 'the object has been modified; please apply your changes to the latest version');
      }
      return this.#store(place, existing, kubeObjectSchema.parse(mergePatch(existing, patch)));
    }
    if (contentType !== 'application/json-patch+json') throw new Refusal(415, 'UnsupportedMediaType', contentType);
    return this.#store(place, existing, kubeObjectSchema.parse(jsonPatch(existing, patch as JsonOperation[])));
  }

  #apply(place: Place, query: URLSearchParams, applied: KubeObject): KubeObject {
    const path = `${place.collection} ${keyOf(place.namespace, place.name ?? '')}`;
    const manager = query.get('fieldManager') ?? '';
    const owners = this.#managers.get(path) ?? new Map<string, string>();
    this.#managers.set(path, owners);
    const existing = this.history.get(place.collection, keyOf(place.namespace, place.name ?? ''));
    const { resourceVersion } = applied.metadata;
    if (resourceVersion !== undefined && resourceVersion !== existing?.metadata.resourceVersion) {
      throw new Refusal(409, 'Conflict', 'the object has been modified; please apply your changes to the latest version');
    }
    const leaves = leavesOf(applied).filter(([field]) => !/^\.(metadata\.(name(space)?|resourceVersion)|apiVersion|kind)$/.test(field));
    const causes = leaves.flatMap(([field, value]) => {
      const owner = owners.get(field);
      if (owner === undefined || owner === manager || isDeepStrictEqual(valueAt(existing, field), value)) return [];
      return [{ reason: 'FieldManagerConflict', message: `conflict with "${owner}"`, field }];
    });
    if (causes.length > 0 && query.get('force') !== 'true') throw new Refusal(409, 'Conflict', 'Apply failed with a conflict', { causes });
    for (const [field] of leaves) owners.set(field, manager);
    if (existing === undefined) return this.#create(place, applied);
    return this.#store(place, existing, kubeObjectSchema.parse(mergePatch(existing, applied)));
  }

  #delete(place: Place, body: unknown): unknown {
    const existing = this.#existing(place);
    const { preconditions = {} } = body as { preconditions?: { uid?: string; resourceVersion?: string } };
    for (const field of ['uid', 'resourceVersion'] as const) {
      if (preconditions[field] !== undefined && preconditions[field] !== existing.metadata[field]) {
        throw new Refusal(409, 'Conflict', `Precondition failed: ${field}`);
      }
    }
    this.#managers.delete(`${place.collection} ${keyOf(place.namespace, place.name ?? '')}`);
    this.history.delete(place.collection, keyOf(place.namespace, place.name ?? ''));
    return { kind: 'Status', apiVersion: 'v1', status: 'Success' };
  }

  #deleteCollection(place: Place, query: URLSearchParams): unknown {
    for (const [key, object] of this.history.list(place.collection)) {
      if (inNamespace(place, object) && matches(object, query)) this.history.delete(place.collection, key);
    }
    return { kind: 'Status', apiVersion: 'v1', status: 'Success' };
  }

  #watch(
    place: Place,
    query: URLSearchParams,
    { request, response, fault }: { request: Request; response: Response; fault: Fault | null },
  ): void {
    (response as ServerResponse).writeHead(200, { 'content-type': 'application/json' });
    (response as ServerResponse).flushHeaders();
    const from = Number(query.get('resourceVersion') ?? 0);
    if (from < this.history.compactedAt) {
      const error = new Refusal(410, 'Expired', `too old resource version: ${from} (${this.history.compactedAt})`);
      write(response, `${JSON.stringify({ type: 'ERROR', object: statusOf(error) })}\n`);
      response.end();
      return;
    }
    let sent = 0;
    const send = (change: Change): void => {
      const line = lineFor(change, place, query);
      if (line === null) return;
      sent += 1;
      if (fault?.kind !== 'cut-line' || sent < 2) {
        write(response, line);
        return;
      }
      write(response, line.slice(0, line.length / 2));
      if (!fault.reset) response.end();
      else setImmediate(() => request.socket.destroy());
    };
    for (const change of this.history.since(from)) send(change);
    const unfollow = this.history.follow(send);
    const bookmark = (): void => {
      const object = { kind: 'Bookmark', apiVersion: 'v1', metadata: { resourceVersion: String(this.history.version) } };
      if (query.get('allowWatchBookmarks') === 'true') write(response, `${JSON.stringify({ type: 'BOOKMARK', object })}\n`);
    };
    const watch = { response, bookmark };
    const seconds = Number(query.get('timeoutSeconds') ?? 1800);
    const timer = setTimeout(() => response.end(), seconds * 1000);
    this.openWatches += 1;
    this.#watches.add(watch);
    response.on('close', () => {
      clearTimeout(timer);
      unfollow();
      this.#watches.delete(watch);
      this.openWatches -= 1;
    });
  }
}

function reply(response: Response, statusCode: number, body: string, headers: Record<string, string> = {}): void {
  (response as ServerResponse).writeHead(statusCode, {
    'content-type': body.startsWith('{') ? 'application/json' : 'text/plain',
    ...headers,
  });
  response.end(body);
}

/** HTTP/1 and HTTP/2 answers have the same method with two signatures. */
function write(response: Response, text: string): void {
  (response as ServerResponse).write(text);
}

async function readBody(request: Request): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
