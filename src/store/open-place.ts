import { resolve } from 'node:path';
import type { HistoryDatabase } from './history-database.ts';
import type { HistoryOwner } from './history-owner.ts';
import { openSharedFile } from './open-sqlite-file.ts';
import type { PostgresPlace } from './postgres/open-postgres.ts';
import { SqliteDatabase } from './sqlite-database.ts';

/** Where the history of a cluster is kept. */
export type HistoryPlace = { readonly path: string } | PostgresPlace;

export interface OpenPlaceOptions {
  /** How long a file waits for another writer, in which this process does nothing else. */
  readonly busyTimeoutMs: number;
  /** null: whosever it is. */
  readonly owner: HistoryOwner | null;
}

/** To write to it. */
export async function openPlace(place: HistoryPlace, { busyTimeoutMs, owner }: OpenPlaceOptions): Promise<HistoryDatabase> {
  if ('path' in place) {
    const path = resolve(place.path);
    return new SqliteDatabase(path, { database: openSharedFile(path, busyTimeoutMs, owner) });
  }
  const { openPostgres } = await import('./postgres/open-postgres.ts');
  return openPostgres(place, { isReadOnly: false, owner });
}
