import { resolve } from 'node:path';
import type { HistoryDatabase } from './history-database.ts';
import { openSharedFile } from './open-sqlite-file.ts';
import type { PostgresPlace } from './postgres/open-postgres.ts';
import { SqliteDatabase } from './sqlite-database.ts';

/** Where the history of a cluster is kept. */
export type HistoryPlace = { readonly path: string } | PostgresPlace;

/** To write to it. `busyTimeoutMs`: how long a file waits for another writer, in which this process does nothing else. */
export async function openPlace(place: HistoryPlace, busyTimeoutMs: number): Promise<HistoryDatabase> {
  if ('path' in place) {
    const path = resolve(place.path);
    return new SqliteDatabase(path, { database: openSharedFile(path, busyTimeoutMs) });
  }
  const { openPostgres } = await import('./postgres/open-postgres.ts');
  return openPostgres(place, { isReadOnly: false });
}
