import type { RunStart } from '../api/run-record.ts';
import type { RemovalEnd, RunEnding, RunWriter } from './history.ts';
import type { Changes, HistoryDatabase } from './history-database.ts';
import type { HistoryTime } from './history-time.ts';
import { idKey } from './id-key.ts';
import { endStays } from './image-sightings.ts';
import { insertPlan } from './plan-rows.ts';
import { closeRemovals } from './settle-run.ts';
import { WriteQueue, type Entry } from './write-queue.ts';

export interface RunWriterOptions {
  readonly database: HistoryDatabase;
  readonly time: HistoryTime;
  readonly onWarning: (message: string) => void;
}

/** Begins a run on record, or in memory while there is no space. */
export async function writeRun(options: RunWriterOptions, runId: number, start: RunStart): Promise<RunWriter> {
  const { database, time, onWarning } = options;
  const queue = new WriteQueue(database, onWarning);
  const moved = (imageId: string, fields: RemovalFields, further: Entry['write'] | null = null): Promise<void> => {
    const at = time.wallAt();
    return queue.add({
      durability: 'process',
      write: async (changes) => {
        await updateRemoval(changes, runId, imageId, { removal_at: at, ...fields });
        await further?.(changes);
      },
    });
  };
  await queue.add({ durability: 'process', write: (changes) => insertRun(changes, time, runId, start) });
  return {
    runId,
    planned: (plan) => queue.add({ durability: 'power', write: (changes) => insertPlan(changes, runId, plan) }),
    removalBegan: ({ image }) => moved(image.id, { removal_state: 'in-hand' }),
    removalEnded: ({ decision, outcome }) => {
      const { id } = decision.image;
      const isGone = outcome.kind === 'removed' || outcome.kind === 'absent';
      return moved(id, outcomeFields(outcome), isGone ? (changes) => endStays(changes, start.runtimeEndpoint, [idKey(id)]) : null);
    },
    end: async (end) => {
      await queue.add({ durability: 'power', write: (changes) => endRun(changes, runId, end) });
      await queue.flush();
    },
  };
}

interface RemovalFields {
  readonly removal_state: string;
  readonly removal_message?: string | null;
  readonly kept_by?: string | null;
}

function outcomeFields(outcome: RemovalEnd['outcome']): RemovalFields {
  return {
    removal_state: outcome.kind,
    removal_message: outcome.kind === 'failed' ? outcome.message : null,
    kept_by: outcome.kind === 'kept' ? JSON.stringify(outcome.reason) : null,
  };
}

async function insertRun(changes: Changes, time: HistoryTime, runId: number, start: RunStart): Promise<void> {
  await changes
    .insertInto('run')
    .values({
      id: runId,
      began_ms: await time.record(changes),
      started_at: start.startedAt,
      state: 'running',
      mode: start.mode,
      version: start.version,
      pid: start.pid,
      host: start.host,
      asked_by: start.user,
      runtime_endpoint: start.runtimeEndpoint,
      command: JSON.stringify(start.command),
    })
    .execute();
}

async function updateRemoval(
  changes: Changes,
  runId: number,
  imageId: string,
  fields: RemovalFields & { readonly removal_at: number },
): Promise<void> {
  await changes
    .updateTable('decision')
    .set(fields)
    .where('run_id', '=', runId)
    .where('image_key', '=', (inner) => inner.selectFrom('image').select('key').where('id_key', '=', idKey(imageId)))
    .execute();
}

async function endRun(changes: Changes, runId: number, end: RunEnding): Promise<void> {
  for (const [imageId, bytes] of end.reclaimedBytes) {
    await changes
      .updateTable('decision')
      .set({ reclaimed_bytes: bytes })
      .where('run_id', '=', runId)
      .where('image_key', '=', (inner) => inner.selectFrom('image').select('key').where('id_key', '=', idKey(imageId)))
      .execute();
  }
  await closeRemovals(changes, runId, end.endedAt, {
    from: 'in-hand',
    to: 'failed',
    message: 'the run ended before it was known what became of it',
  });
  await closeRemovals(changes, runId, end.endedAt, { from: 'planned', to: 'not-attempted', message: null });
  await changes
    .updateTable('run')
    .set({
      ended_at: end.endedAt,
      state: end.state,
      message: end.message,
      summary: end.summary === null ? null : JSON.stringify(end.summary),
      filesystem: end.filesystem === null ? null : JSON.stringify(end.filesystem),
    })
    .where('id', '=', runId)
    .execute();
}
