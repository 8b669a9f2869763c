import type { ImageHistory, Sightings } from './history.ts';
import type { Changes, HistoryDatabase } from './history-database.ts';
import type { HistoryTime } from './history-time.ts';
import { idKey } from './id-key.ts';
import { inBatches } from './in-batches.ts';

export interface SightingsOptions {
  readonly database: HistoryDatabase;
  readonly time: HistoryTime;
  /** Two runtimes may share a history, but no image's age: what one has had for a year may be new in the other. */
  readonly runtimeEndpoint: string;
}

/** Takes note of all images of a runtime: since when each has been there, and when it was last in use. */
export async function recordSightings(options: SightingsOptions, { images, inUse }: Sightings): Promise<void> {
  const { database, time, runtimeEndpoint } = options;
  await database.write('process', async (changes) => {
    const before = await changes
      .selectFrom('sighted_runtime')
      .select('sighted_ms')
      .where('runtime_endpoint', '=', runtimeEndpoint)
      .executeTakeFirst();
    const at = { ms: await time.record(changes), wall: time.wallAt() };
    await changes
      .insertInto('sighted_runtime')
      .values({ runtime_endpoint: runtimeEndpoint, sighted_ms: at.ms })
      .onConflict((conflict) => conflict.column('runtime_endpoint').doUpdateSet({ sighted_ms: at.ms }))
      .execute();
    const ids = new Map(images.map(({ id }) => [idKey(id), id]));
    for (const batch of inBatches([...ids])) {
      const rows = batch.map(([key, id]) => ({
        runtime_endpoint: runtimeEndpoint,
        id_key: key,
        first_seen_ms: at.ms,
        first_seen_at: at.wall,
        last_seen_ms: at.ms,
        last_seen_at: at.wall,
        last_in_use_ms: inUse.has(id) ? at.ms : null,
        last_in_use_at: inUse.has(id) ? at.wall : null,
      }));
      const seenAgain = batch.map(([key]) => key);
      if (before !== undefined) await endStaysBefore(changes, runtimeEndpoint, { idKeys: seenAgain, lastSightingMs: before.sighted_ms });
      await changes
        .insertInto('sighting')
        .values(rows)
        .onConflict((conflict) =>
          conflict.columns(['runtime_endpoint', 'id_key']).doUpdateSet((row) => ({
            last_seen_ms: row.ref('excluded.last_seen_ms'),
            last_seen_at: row.ref('excluded.last_seen_at'),
            last_in_use_ms: row.fn.coalesce('excluded.last_in_use_ms', 'sighting.last_in_use_ms'),
            last_in_use_at: row.fn.coalesce('excluded.last_in_use_at', 'sighting.last_in_use_at'),
          })),
        )
        .execute();
    }
  });
}

/** An image that was not there the last time is new again: pulled anew, it must not go for what it did in an earlier stay. */
async function endStaysBefore(
  changes: Changes,
  runtimeEndpoint: string,
  { idKeys, lastSightingMs }: { readonly idKeys: readonly string[]; readonly lastSightingMs: number },
): Promise<void> {
  await changes
    .deleteFrom('sighting')
    .where('runtime_endpoint', '=', runtimeEndpoint)
    .where('id_key', 'in', idKeys)
    .where('last_seen_ms', '<', lastSightingMs)
    .execute();
}

/** The same for images that are known to be gone without a look at the runtime: pulled again before the next look, they are new. */
export async function endStays(changes: Changes, runtimeEndpoint: string, idKeys: readonly string[]): Promise<void> {
  for (const batch of inBatches(idKeys)) {
    await changes.deleteFrom('sighting').where('runtime_endpoint', '=', runtimeEndpoint).where('id_key', 'in', batch).execute();
  }
}

/** The times by the wall clock of now: now less the age by the history's own clock. */
export async function readImageHistories(
  { database: { queries }, time, runtimeEndpoint }: SightingsOptions,
  imageIds: readonly string[],
): Promise<Map<string, ImageHistory>> {
  const histories = new Map<string, ImageHistory>();
  const nowMs = await time.read(queries);
  const wallAt = time.wallAt();
  const onWall = (ms: number): number => wallAt - Math.max(0, nowMs - ms);
  for (const batch of inBatches(imageIds)) {
    const rows = await queries
      .selectFrom('sighting')
      .select(['id_key', 'first_seen_ms', 'last_in_use_ms'])
      .where('runtime_endpoint', '=', runtimeEndpoint)
      .where('id_key', 'in', batch.map(idKey))
      .execute();
    const byKey = new Map(rows.map((row) => [row.id_key, row]));
    for (const id of batch) {
      const row = byKey.get(idKey(id));
      if (row === undefined) continue;
      histories.set(id, {
        firstSeenAt: onWall(row.first_seen_ms),
        lastInUseAt: row.last_in_use_ms === null ? null : onWall(row.last_in_use_ms),
      });
    }
  }
  return histories;
}
