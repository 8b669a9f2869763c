import { createHash } from 'node:crypto';
import type { Decision, KeepReason, RemoveReason } from '../api/decision.ts';
import type { NodeImage } from '../api/inventory.ts';
import type { Changes } from './history-database.ts';
import type { PlannedRun } from './history.ts';
import { idKey } from './id-key.ts';
import { inBatches } from './in-batches.ts';
import { storeJson, type StoredJson } from './pack.ts';

/** Bytes of JSON from which on a reason is packed: most stay text that one can read in the file; findings shrink to a tenth. */
const PACKED_FROM = 1_000;

/** The whole plan of a run. What many decisions have in common is written once. */
export async function insertPlan(changes: Changes, runId: number, plan: PlannedRun): Promise<void> {
  await changes
    .updateTable('run')
    .set({ runtime: JSON.stringify(plan.runtime), scanner: plan.scanner === null ? null : JSON.stringify(plan.scanner) })
    .where('id', '=', runId)
    .execute();
  let position = 0;
  for (const decisions of inBatches(plan.decisions)) {
    const images = await imageKeys(changes, decisions, plan.namesOf);
    const namings = await namingKeys(changes, decisions);
    const reasons = await reasonKeys(changes, decisions);
    const rows = decisions.map((decision) => ({
      run_id: runId,
      image_key: keyOf(images, idKey(decision.image.id)),
      position: position++,
      naming_key: keyOf(namings, hashOf(naming(decision.image))),
      outcome: decision.outcome,
      reason_key: keyOf(reasons, hashOf(decision.reason)),
      estimated_bytes: decision.outcome === 'remove' ? decision.estimatedBytes : 0,
      removal_state: decision.outcome === 'remove' ? 'planned' : null,
      reclaimed_bytes: 0,
    }));
    await changes
      .insertInto('decision')
      .values(rows)
      .onConflict((conflict) => conflict.columns(['run_id', 'image_key']).doNothing())
      .execute();
  }
}

async function imageKeys(changes: Changes, decisions: readonly Decision[], namesOf: PlannedRun['namesOf']): Promise<Map<string, number>> {
  const images = new Map(decisions.map(({ image }) => [idKey(image.id), image]));
  const ids = [...images.keys()];
  await changes
    .insertInto('image')
    .values([...images].map(([id_key, { id }]) => ({ id_key, id })))
    .onConflict((conflict) => conflict.column('id_key').doNothing())
    .execute();
  const rows = await changes.selectFrom('image').select(['id_key', 'key']).where('id_key', 'in', ids).execute();
  const keys = new Map(rows.map(({ id_key, key }) => [id_key, key]));
  const names = [...images].flatMap(([id, image]) => [...new Set(namesOf(image))].map((name) => ({ name, image_key: keyOf(keys, id) })));
  for (const batch of inBatches(names)) {
    await changes
      .insertInto('image_name')
      .values(batch)
      .onConflict((conflict) => conflict.columns(['name', 'image_key']).doNothing())
      .execute();
  }
  return keys;
}

async function namingKeys(changes: Changes, decisions: readonly Decision[]): Promise<Map<string, number>> {
  const namings = new Map(decisions.map(({ image }) => [hashOf(naming(image)), image]));
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

function naming({ repoTags, repoDigests, sizeBytes }: NodeImage): unknown {
  return [repoTags, repoDigests, sizeBytes];
}

async function reasonKeys(changes: Changes, decisions: readonly Decision[]): Promise<Map<string, number>> {
  const reasons = new Map<string, KeepReason | RemoveReason>(decisions.map(({ reason }) => [hashOf(reason), reason]));
  const hashes = [...reasons.keys()];
  const known = await changes.selectFrom('reason').select(['hash', 'key']).where('hash', 'in', hashes).execute();
  const keys = new Map(known.map(({ hash, key }) => [hash, key]));
  const fresh = [...reasons].filter(([hash]) => !keys.has(hash)).map(([hash, reason]) => reasonRow(hash, reason));
  if (fresh.length === 0) return keys;
  for (const { hash, key } of await changes.insertInto('reason').values(fresh).returning(['hash', 'key']).execute()) keys.set(hash, key);
  return keys;
}

function reasonRow(hash: string, reason: KeepReason | RemoveReason): StoredJson & { hash: string; code: string } {
  return { hash, code: reason.code, ...storeJson(JSON.stringify(reason), PACKED_FROM) };
}

function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url');
}

function keyOf(keys: ReadonlyMap<string, number>, id: string): number {
  const key = keys.get(id);
  if (key === undefined) throw new Error(`no row for ${id}`);
  return key;
}
