import { ApiConnection, type ApiRequest, type CallOptions, type ConnectionOptions } from './api-connection.ts';
import { badAnswer } from './classify-answer.ts';
import type { Program, ProgramEnd } from './exec-in-pod.ts';
import { hasCode } from './kube-error.ts';
import { type KubeObject, kubeObjectSchema } from './kube-object.ts';
import { type Listed, type ListOptions, listPages, type Selectors } from './list-pages.ts';
import { type Collection, intentOn, type ObjectReference, type ResourceIntent } from './resource.ts';
import { watchEvents, type WatchEvent, type WatchOptions } from './watch-events.ts';

/** How an object is patched: always named, since client libraries' defaults differ. */
export type Patch =
  /**
   * Server-side apply: the fields given are owned by `fieldManager`, those it owned and leaves out are removed. Without `force`, a field
   * of another manager with another value is a `conflict` that names it. Creates the object if need be.
   */
  | {
      readonly strategy: 'apply';
      readonly object: object;
      readonly fieldManager: string;
      readonly force: boolean;
      /** Nothing is stored: the answer is the object as it would be. */
      readonly dryRun?: boolean;
    }
  /** RFC 7386: null removes, lists are replaced. With `metadata.resourceVersion`, only that version is patched, else `conflict`. */
  | { readonly strategy: 'merge'; readonly patch: object }
  /** RFC 6902. Not repeated when it is unknown what became of it. */
  | { readonly strategy: 'json'; readonly operations: readonly object[] };

export interface DeleteOptions {
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  /** `Foreground`: after what it owns. `Background` (mostly the default): before. `Orphan`: what it owns stays. */
  readonly propagationPolicy?: 'Foreground' | 'Background' | 'Orphan';
  readonly gracePeriodSeconds?: number;
}

export interface PodLogOptions {
  readonly container: string;
  readonly follow: boolean;
}

const CONTENT_TYPES = {
  // JSON is YAML, too.
  apply: 'application/apply-patch+yaml',
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
} as const;

/**
 * The Kubernetes API in raw JSON. Calls end with a KubeError, or with the reason of their signal. Calls that may happen twice are repeated
 * while the API server is away or busy; those that may not, only when it has certainly not carried them out.
 */
export class KubeClient {
  readonly #connection: ApiConnection;

  constructor(options: ConnectionOptions) {
    this.#connection = new ApiConnection(options);
  }

  /** The API server's URL. */
  get server(): string {
    return this.#connection.server;
  }

  get(reference: ObjectReference, call: CallOptions): Promise<KubeObject> {
    return this.#object({ intent: { verb: 'get', ...reference }, method: 'GET', idempotent: true }, call);
  }

  /** As `get`, with null for an absent object: one of which the API server says by name that it is not there. */
  async find(reference: ObjectReference, call: CallOptions): Promise<KubeObject | null> {
    return this.get(reference, call).catch((error: unknown) => {
      if (hasCode(error, 'not-found') && error.status?.details.name !== undefined) return null;
      throw error;
    });
  }

  list<T>(collection: Collection, options: ListOptions<T>, call: CallOptions): Promise<Listed<T>> {
    return listPages(this.#connection, collection, options, call);
  }

  watch(collection: Collection, options: WatchOptions, signal: AbortSignal): AsyncGenerator<WatchEvent, void> {
    return watchEvents(this.#connection, collection, options, signal);
  }

  /** Throws `already-exists`. After an unclear failure it is not repeated, since the name may be the API server's choice (generateName). */
  create(collection: Collection, object: object, call: CallOptions): Promise<KubeObject> {
    return this.#object({ intent: intentOn('create', collection), method: 'POST', body: object, idempotent: false }, call);
  }

  /** Replaces the whole object, if it is still of the resourceVersion that the object carries, else `conflict`. */
  update(reference: ObjectReference, object: KubeObject, call: CallOptions): Promise<KubeObject> {
    return this.#put({ verb: 'update', ...reference }, object, call);
  }

  /** As `update`, of the status alone. */
  updateStatus(reference: ObjectReference, object: KubeObject, call: CallOptions): Promise<KubeObject> {
    return this.#put({ verb: 'update', subresource: 'status', ...reference }, object, call);
  }

  patch(reference: ObjectReference, patch: Patch, call: CallOptions): Promise<KubeObject> {
    return this.#patch({ verb: 'patch', ...reference }, patch, call);
  }

  patchStatus(reference: ObjectReference, patch: Patch, call: CallOptions): Promise<KubeObject> {
    return this.#patch({ verb: 'patch', subresource: 'status', ...reference }, patch, call);
  }

  /** `accepted`: it is gone, or will be once its finalizers and grace period are through. Throws `conflict` when a precondition fails. */
  async delete(reference: ObjectReference, options: DeleteOptions, call: CallOptions): Promise<'accepted' | 'absent'> {
    const intent = { verb: 'delete', ...reference } as const;
    try {
      await this.#connection.json({ intent, method: 'DELETE', body: deleteBody(options), idempotent: true }, call);
      return 'accepted';
    } catch (error) {
      if (hasCode(error, 'not-found')) return 'absent';
      throw error;
    }
  }

  /** Deletes what the selectors choose; a collection with neither is refused, since it would be all. */
  async deleteCollection(
    collection: Collection,
    { labelSelector, fieldSelector, ...options }: Selectors & Omit<DeleteOptions, 'preconditions'>,
    call: CallOptions,
  ): Promise<void> {
    const intent = intentOn('deletecollection', collection);
    if ((labelSelector ?? '') === '' && (fieldSelector ?? '') === '') {
      throw new TypeError(`deletecollection ${collection.resource.plural}: no selector was given`);
    }
    const query = { labelSelector, fieldSelector };
    await this.#connection.discard({ intent, method: 'DELETE', query, body: deleteBody(options), idempotent: true }, call);
  }

  /** A POST that stores nothing, such as a TokenReview: may happen twice, and its answer needs no name. */
  async review(collection: Collection, object: object, call: CallOptions): Promise<unknown> {
    return this.#connection.json({ intent: intentOn('create', collection), method: 'POST', body: object, idempotent: true }, call);
  }

  /** Of what is no object of a resource: the JSON at this path, as `kubectl get --raw`. */
  async getPath(path: string, call: CallOptions): Promise<unknown> {
    // Some JSON has a media type of its own, and is given under no other.
    const accept = 'application/json, */*';
    return this.#connection.json({ intent: { verb: 'get', path }, method: 'GET', accept, idempotent: true }, call);
  }

  /** The log of a container of a pod, as bytes; with `follow`, until the container ends. Opened once, without repetition. */
  async podLog(pod: ObjectReference, { container, follow }: PodLogOptions, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const intent = { verb: 'get', subresource: 'log', ...pod } as const;
    const query = { container, follow: String(follow) };
    return this.#connection.stream({ intent, method: 'GET', query, accept: '*/*', idempotent: true }, 0, signal);
  }

  /** Runs a program in a container of a pod, to its end. What it takes is loaded when it is asked for. */
  async exec(pod: ObjectReference, program: Program, call: CallOptions): Promise<ProgramEnd> {
    const { execInPod } = await import('./exec-in-pod.ts');
    return execInPod(this.#connection, pod, program, call);
  }

  /** Ends all connections, and what is under way on them. */
  close(): Promise<void> {
    return this.#connection.close();
  }

  #put(intent: ResourceIntent, object: KubeObject, call: CallOptions): Promise<KubeObject> {
    if (object.metadata.resourceVersion === undefined)
      throw new TypeError(`update ${intent.resource.plural}: no resourceVersion was given`);
    return this.#object({ intent, method: 'PUT', body: object, idempotent: true }, call);
  }

  #patch(intent: ResourceIntent, patch: Patch, call: CallOptions): Promise<KubeObject> {
    const ask = { intent, method: 'PATCH', contentType: CONTENT_TYPES[patch.strategy] } as const;
    switch (patch.strategy) {
      case 'apply': {
        const query = { fieldManager: patch.fieldManager, force: String(patch.force), dryRun: patch.dryRun === true ? 'All' : undefined };
        return this.#object({ ...ask, query, body: patch.object, idempotent: true }, call);
      }
      case 'merge':
        return this.#object({ ...ask, body: patch.patch, idempotent: true }, call);
      case 'json':
        return this.#object({ ...ask, body: patch.operations, idempotent: false }, call);
    }
  }

  async #object(ask: ApiRequest, call: CallOptions): Promise<KubeObject> {
    const answer = kubeObjectSchema.safeParse(await this.#connection.json(ask, call));
    if (!answer.success) throw badAnswer({ intent: ask.intent, server: this.server }, 'no object', answer.error);
    return answer.data;
  }
}

function deleteBody(options: DeleteOptions): object {
  return { apiVersion: 'v1', kind: 'DeleteOptions', ...options };
}
