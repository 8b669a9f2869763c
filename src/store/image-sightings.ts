import type { ImageHistory, Sightings } from './history.ts';
import type { Changes, HistoryDatabase } from './history-database.ts';
import type { HistoryTime } from './history-time.ts';
import { idKey } from './id-key.ts';
import { inBatches } from './in-batches.ts';
import type { SightingTable } from './tables.ts';

export interface SightingsOptions {
  readonly database: HistoryDatabase;
  readonly time: HistoryTime;
  /** Two runtimes may share a history, but no image's age: what one has had for a year may be new in the other. */
  readonly runtimeEndpoint: string;
}

/** Takes note of all images of a runtime: since when each has been there, and when it was last in use. */
export async function recordSightings({ database, ...place }: SightingsOptions, seen: Sightings): Promise<void> {
  await database.write('process', async (changes) => {
    await noteSightings(changes, place, seen);
  });
}

/** The same as a part of a transaction. Gives the history time of this look. */
export async function noteSightings(
  changes: Changes,
  { time, runtimeEndpoint }: Omit<SightingsOptions, 'database'>,
  { images, inUse }: Sightings,
): Promise<number> {
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
  const inUseKeys = new Set([...inUse].map(idKey));
  for (const idKeys of inBatches([...new Set(images.map(({ id }) => idKey(id)))])) {
    if (before !== undefined) await endStaysBefore(changes, runtimeEndpoint, { idKeys, lastSightingMs: before.sighted_ms });
    await noteBatch(changes, runtimeEndpoint, { idKeys, inUse: idKeys.filter((key) => inUseKeys.has(key)), at });
  }
  return at.ms;
}

interface SightedBatch {
  readonly idKeys: readonly string[];
  /** Those of them that are in use. */
  readonly inUse: readonly string[];
  readonly at: { readonly ms: number; readonly wall: number };
}

async function noteBatch(changes: Changes, runtimeEndpoint: string, { idKeys, inUse, at }: SightedBatch): Promise<void> {
  const lastSeen = { last_seen_ms: at.ms, last_seen_at: at.wall };
  const lastInUse = { last_in_use_ms: at.ms, last_in_use_at: at.wall };
  const known = await updateStays(changes, runtimeEndpoint, idKeys, lastSeen);
  if (inUse.length > 0) await updateStays(changes, runtimeEndpoint, inUse, lastInUse);
  // Most looks see nothing new, and rows of values take longer than all the rest.
  if (known === idKeys.length) return;
  const users = new Set(inUse);
  const rows = idKeys.map((id_key) => ({
    runtime_endpoint: runtimeEndpoint,
    id_key,
    first_seen_ms: at.ms,
    first_seen_at: at.wall,
    ...lastSeen,
    ...(users.has(id_key) ? lastInUse : { last_in_use_ms: null, last_in_use_at: null }),
  }));
  await changes
    .insertInto('sighting')
    .values(rows)
    .onConflict((conflict) => conflict.columns(['runtime_endpoint', 'id_key']).doNothing())
    .execute();
}

/** Gives how many of them there are. */
async function updateStays(
  changes: Changes,
  runtimeEndpoint: string,
  idKeys: readonly string[],
  values: Partial<SightingTable>,
): Promise<number> {
  const { numUpdatedRows } = await changes
    .updateTable('sighting')
    .set(values)
    .where('runtime_endpoint', '=', runtimeEndpoint)
    .where('id_key', 'in', idKeys)
    .executeTakeFirst();
  return Number(numUpdatedRows);
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

/** The same at once for all images that a look did not find: for a place that nobody asks for what it once had. */
export async function endStaysNotSeen(changes: Changes, runtimeEndpoint: string, seenMs: number): Promise<void> {
  await changes.deleteFrom('sighting').where('runtime_endpoint', '=', runtimeEndpoint).where('last_seen_ms', '<', seenMs).execute();
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
