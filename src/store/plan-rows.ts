import { createHash } from 'node:crypto';
import type { KeepReason, RemoveReason } from '../api/decision.ts';
import type { NodeImage } from '../api/inventory.ts';
import type { DecisionRecord, UnreadableReason } from '../api/run-record.ts';
import type { Changes } from './history-database.ts';
import type { PlannedRun } from './history.ts';
import { idKey } from './id-key.ts';
import { inBatches } from './in-batches.ts';
import { storeJson, type StoredJson } from './pack.ts';

/** Bytes of JSON from which on a reason is packed: most stay text that one can read in the file; findings shrink to a tenth. */
const PACKED_FROM = 1_000;

export type StoredReason = KeepReason | RemoveReason | UnreadableReason;

/** A decision as it goes on record. */
export interface DecisionEntry {
  readonly runId: number;
  /** Its place in the plan. */
  readonly position: number;
  readonly image: Omit<NodeImage, 'pinned'>;
  readonly outcome: 'keep' | 'remove';
  readonly reason: StoredReason;
  readonly estimatedBytes: number;
  /** null: the image is to stay. */
  readonly removal: DecisionRecord['removal'];
}

const PLANNED = { state: 'planned', at: null, message: null, keptBy: null, reclaimedBytes: 0 } as const;

/** The whole plan of a run. */
export async function insertPlan(changes: Changes, runId: number, plan: PlannedRun): Promise<void> {
  await changes
    .updateTable('run')
    .set({ runtime: JSON.stringify(plan.runtime), scanner: plan.scanner === null ? null : JSON.stringify(plan.scanner) })
    .where('id', '=', runId)
    .execute();
  const entries = plan.decisions.map((decision, position): DecisionEntry => {
    const { image, outcome, reason } = decision;
    const isToGo = decision.outcome === 'remove';
    const common = { runId, position, image, outcome, reason };
    return { ...common, estimatedBytes: isToGo ? decision.estimatedBytes : 0, removal: isToGo ? PLANNED : null };
  });
  await insertDecisions(changes, entries, plan.namesOf);
}

/** Of one run or of several. What many decisions have in common is written once. */
export async function insertDecisions(changes: Changes, entries: readonly DecisionEntry[], namesOf: PlannedRun['namesOf']): Promise<void> {
  for (const decisions of inBatches(entries)) {
    const hashed = decisions.map((entry) => ({ entry, naming: hashOf(naming(entry.image)), reason: hashOf(entry.reason) }));
    const images = await imageKeys(changes, decisions, namesOf);
    const namings = await namingKeys(changes, new Map(hashed.map((row) => [row.naming, row.entry.image])));
    const reasons = await reasonKeys(changes, new Map(hashed.map((row) => [row.reason, row.entry.reason])));
    const rows = hashed.map(({ entry, ...hashes }) => ({
      run_id: entry.runId,
      image_key: keyOf(images, idKey(entry.image.id)),
      position: entry.position,
      naming_key: keyOf(namings, hashes.naming),
      outcome: entry.outcome,
      reason_key: keyOf(reasons, hashes.reason),
      estimated_bytes: entry.estimatedBytes,
      removal_state: entry.removal?.state ?? null,
      removal_at: entry.removal?.at ?? null,
      removal_message: entry.removal?.message ?? null,
      kept_by: keptBy(entry),
      reclaimed_bytes: entry.removal?.reclaimedBytes ?? 0,
    }));
    await changes
      .insertInto('decision')
      .values(rows)
      .onConflict((conflict) => conflict.columns(['run_id', 'image_key']).doNothing())
      .execute();
  }
}

function keptBy({ removal }: DecisionEntry): string | null {
  const reason = removal?.keptBy ?? null;
  return reason === null ? null : JSON.stringify(reason);
}

async function imageKeys(
  changes: Changes,
  decisions: readonly DecisionEntry[],
  namesOf: PlannedRun['namesOf'],
): Promise<Map<string, number>> {
  const ids = new Map(decisions.map(({ image: { id } }) => [idKey(id), id]));
  await changes
    .insertInto('image')
    .values([...ids].map(([id_key, id]) => ({ id_key, id })))
    .onConflict((conflict) => conflict.column('id_key').doNothing())
    .execute();
  const rows = await changes
    .selectFrom('image')
    .select(['id_key', 'key'])
    .where('id_key', 'in', [...ids.keys()])
    .execute();
  const keys = new Map(rows.map(({ id_key, key }) => [id_key, key]));
  for (const batch of inBatches(eachName(decisions, namesOf))) {
    await changes
      .insertInto('image_name')
      .values(batch.map(({ name, id }) => ({ name, image_key: keyOf(keys, id) })))
      .onConflict((conflict) => conflict.columns(['name', 'image_key']).doNothing())
      .execute();
  }
  return keys;
}

/** Of registry, repository, tag and digest together half as many are allowed; in PostgreSQL an index takes none that is longer. */
const LONGEST_NAME_BYTES = 2_000;

/** An image may have other names on another node. */
function eachName(decisions: readonly DecisionEntry[], namesOf: PlannedRun['namesOf']): { readonly id: string; readonly name: string }[] {
  const namesById = new Map<string, Set<string>>();
  for (const { image } of decisions) {
    const names = namesById.get(idKey(image.id)) ?? new Set();
    namesById.set(idKey(image.id), names);
    for (const name of namesOf(image)) if (Buffer.byteLength(name) <= LONGEST_NAME_BYTES) names.add(name);
  }
  return [...namesById].flatMap(([id, names]) => [...names].map((name) => ({ id, name })));
}

type Naming = Omit<NodeImage, 'id' | 'pinned'>;

/** By hash. */
async function namingKeys(changes: Changes, namings: ReadonlyMap<string, Naming>): Promise<Map<string, number>> {
  await changes
    .insertInto('naming')
    .values(
      [...namings].map(([hash, image]) => ({
        hash,
        repo_tags: JSON.stringify(image.repoTags),
        repo_digests: JSON.stringify(image.repoDigests),
        size_bytes: image.sizeBytes,
      })),
    )
    .onConflict((conflict) => conflict.column('hash').doNothing())
    .execute();
  const rows = await changes
    .selectFrom('naming')
    .select(['hash', 'key'])
    .where('hash', 'in', [...namings.keys()])
    .execute();
  return new Map(rows.map(({ hash, key }) => [hash, key]));
}

function naming({ repoTags, repoDigests, sizeBytes }: Naming): unknown {
  return [repoTags, repoDigests, sizeBytes];
}

/** By hash. */
async function reasonKeys(changes: Changes, reasons: ReadonlyMap<string, StoredReason>): Promise<Map<string, number>> {
  const hashes = [...reasons.keys()];
  const known = await changes.selectFrom('reason').select(['hash', 'key']).where('hash', 'in', hashes).execute();
  const keys = new Map(known.map(({ hash, key }) => [hash, key]));
  const fresh = [...reasons].filter(([hash]) => !keys.has(hash)).map(([hash, reason]) => reasonRow(hash, reason));
  if (fresh.length === 0) return keys;
  for (const { hash, key } of await changes.insertInto('reason').values(fresh).returning(['hash', 'key']).execute()) keys.set(hash, key);
  return keys;
}

function reasonRow(hash: string, reason: StoredReason): StoredJson & { hash: string; code: string } {
  const code = reason.code === 'unreadable' ? reason.recordedCode : reason.code;
  return { hash, code, ...storeJson(JSON.stringify(reason), PACKED_FROM) };
}

function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url');
}

function keyOf(keys: ReadonlyMap<string, number>, id: string): number {
  const key = keys.get(id);
  if (key === undefined) throw new Error(`no row for ${id}`);
  return key;
}
