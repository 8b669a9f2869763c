import * as z from 'zod';
import type { ApiConnection } from './api-connection.ts';
import { apiStatusSchema } from './api-status.ts';
import { badAnswer, classifyStatus } from './classify-answer.ts';
import { type KubeObject, kubeObjectSchema } from './kube-object.ts';
import type { Selectors } from './list-pages.ts';
import { type Collection, type Intent, intentOn } from './resource.ts';
import { splitLines } from './split-lines.ts';

export type WatchEvent =
  /** The API server has accepted the watch. Comes first, once. */
  | { readonly type: 'opened' }
  | { readonly type: 'added' | 'modified' | 'deleted'; readonly object: KubeObject }
  /** Nothing happened, and nothing before this resourceVersion will come any more. */
  | { readonly type: 'bookmark'; readonly resourceVersion: string };

export interface WatchOptions extends Selectors {
  /** What happened after this is what comes. */
  readonly resourceVersion: string;
  /** After which the API server ends the watch. */
  readonly timeoutSeconds: number;
  /** A watch on which nothing comes for so long, not even a bookmark (about one a minute), is dead. */
  readonly inactivityMs: number;
}

const EVENT_TYPES = { ADDED: 'added', MODIFIED: 'modified', DELETED: 'deleted' } as const;

const lineSchema = z.discriminatedUnion('type', [
  z.object({ type: z.enum(['ADDED', 'MODIFIED', 'DELETED']), object: kubeObjectSchema }),
  z.object({ type: z.literal('BOOKMARK'), object: z.object({ metadata: z.object({ resourceVersion: z.string() }) }) }),
  z.object({ type: z.literal('ERROR'), object: apiStatusSchema }),
]);

/**
 * What happens to the objects of a collection, until the API server ends the watch (the generator returns), the way to it breaks or it
 * reports an error (a KubeError is thrown: `gone` when the resourceVersion is too old), or the signal aborts (its reason is thrown).
 * However the generator is left, the connection is closed.
 */
export async function* watchEvents(
  connection: ApiConnection,
  collection: Collection,
  options: WatchOptions,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent, void> {
  const intent = intentOn('watch', collection);
  signal.throwIfAborted();
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const query = {
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: options.resourceVersion,
      timeoutSeconds: String(Math.round(options.timeoutSeconds)),
      labelSelector: options.labelSelector,
      fieldSelector: options.fieldSelector,
    };
    const body = await connection.stream({ intent, method: 'GET', query, idempotent: true }, options.inactivityMs, stop.signal);
    yield { type: 'opened' };
    for await (const line of splitLines(body)) {
      signal.throwIfAborted();
      yield parseEvent(line, intent, connection);
    }
    signal.throwIfAborted();
  } catch (error) {
    signal.throwIfAborted();
    throw connection.failure(error, intent);
  } finally {
    signal.removeEventListener('abort', onAbort);
    stop.abort();
  }
}

function parseEvent(line: string, intent: Intent, connection: ApiConnection): WatchEvent {
  const event = parseLine(line);
  if (!event.success) throw badAnswer({ intent, server: connection.server }, 'no watch event', event.error);
  const { type, object } = event.data;
  switch (type) {
    case 'ERROR':
      throw classifyStatus(object, { intent, server: connection.server, wallNow: connection.wallNow() });
    case 'BOOKMARK':
      return { type: 'bookmark', resourceVersion: object.metadata.resourceVersion };
    default:
      return { type: EVENT_TYPES[type], object };
  }
}

function parseLine(line: string): ReturnType<typeof lineSchema.safeParse> {
  try {
    return lineSchema.safeParse(JSON.parse(line));
  } catch {
    return lineSchema.safeParse(undefined);
  }
}
