import type { HistoryReader } from '../history.ts';
import { createHistoryReader } from '../history-reader.ts';
import type { HistoryTime } from '../history-time.ts';
import { openPostgres, type PostgresPlace } from './open-postgres.ts';

/**
 * For commands that only read: changes nothing.
 * @throws HistoryError
 */
export async function openPostgresReader(place: PostgresPlace, time: HistoryTime): Promise<HistoryReader> {
  const database = await openPostgres(place, { isReadOnly: true, owner: null });
  return { ...createHistoryReader(database, time), close: () => database.close() };
}
