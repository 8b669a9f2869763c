import type { ApiConnection, CallOptions } from './api-connection.ts';
import { badAnswer } from './classify-answer.ts';
import { type KubeObject, listPageSchema } from './kube-object.ts';
import { hasCode } from './kube-error.ts';
import { type Collection, intentOn } from './resource.ts';

export interface Selectors {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface ListOptions<T> extends Selectors {
  /** What is kept of an object. A page is dropped once this was asked of each of its objects: keep what is needed, not the object. */
  readonly trim: (object: KubeObject) => T;
  readonly pageSize?: number;
  /**
   * Without it: the state of this moment, read from etcd's quorum. `NotOlderThan` a resourceVersion is cheaper for the API server,
   * `Exact` is that very state, for as long as it is kept (else `gone`).
   */
  readonly at?: { readonly resourceVersion: string; readonly match: 'Exact' | 'NotOlderThan' };
}

export interface Listed<T> {
  readonly items: T[];
  /** Of the whole list: a watch from here misses nothing. */
  readonly resourceVersion: string;
}

type ListConnection = Pick<ApiConnection, 'json' | 'server'>;

/** As client-go: some megabytes of pods. */
const PAGE_SIZE = 500;
/** A list that outlives its snapshot (five minutes, by default) that often will not be faster the next time. */
const MOST_STARTS = 5;

/**
 * Lists in pages, all of one state. When the snapshot that the pages are read from expires in between, what was read is thrown away and the
 * list starts again: its parts would be of different times.
 */
export async function listPages<T>(
  connection: ListConnection,
  collection: Collection,
  options: ListOptions<T>,
  call: CallOptions,
): Promise<Listed<T>> {
  for (let start = 1; ; start++) {
    const progress = { items: [] as T[], continueToken: '' };
    try {
      return await readAll(connection, collection, { options, progress }, call);
    } catch (error) {
      if (!hasCode(error, 'gone') || progress.continueToken === '' || start === MOST_STARTS) throw error;
    }
  }
}

interface Reading<T> {
  readonly options: ListOptions<T>;
  readonly progress: { items: T[]; continueToken: string };
}

async function readAll<T>(
  connection: ListConnection,
  collection: Collection,
  { options, progress }: Reading<T>,
  call: CallOptions,
): Promise<Listed<T>> {
  for (;;) {
    call.signal.throwIfAborted();
    const page = await readPage(connection, collection, { options, continueToken: progress.continueToken }, call);
    for (const item of page.items) progress.items.push(options.trim(item));
    progress.continueToken = page.metadata.continue;
    if (progress.continueToken === '') return { items: progress.items, resourceVersion: page.metadata.resourceVersion };
  }
}

async function readPage<T>(
  connection: ListConnection,
  collection: Collection,
  { options, continueToken }: { readonly options: ListOptions<T>; readonly continueToken: string },
  call: CallOptions,
): Promise<ReturnType<typeof listPageSchema.parse>> {
  const intent = intentOn('list', collection);
  const first = continueToken === '';
  const query = {
    limit: String(options.pageSize ?? PAGE_SIZE),
    labelSelector: options.labelSelector,
    fieldSelector: options.fieldSelector,
    // The token carries the state of the first page; both together are refused.
    continue: first ? undefined : continueToken,
    resourceVersion: first ? options.at?.resourceVersion : undefined,
    resourceVersionMatch: first ? options.at?.match : undefined,
  };
  const answer = listPageSchema.safeParse(await connection.json({ intent, method: 'GET', query, idempotent: true }, call));
  if (!answer.success) throw badAnswer({ intent, server: connection.server }, 'no list', answer.error);
  return answer.data;
}
