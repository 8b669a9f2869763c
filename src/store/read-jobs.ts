import type { JobRecord } from '../api/run-record.ts';
import type { RunQuery } from './history.ts';
import type { HistoryDatabase, Queries } from './history-database.ts';
import { jobTotalsOf } from './jobs.ts';

/** Newest first. `since` and `until` are of the start; of one whose beginning is not on record, that is not known, and it counts. */
export async function listJobs({ queries, name }: HistoryDatabase, { since, until, limit }: RunQuery): Promise<JobRecord[]> {
  const rows = await queries
    .selectFrom('job')
    .selectAll()
    .$if(since !== undefined, (query) => query.where((is) => is.or([is('started_at', '>=', since ?? 0), is('started_at', 'is', null)])))
    .$if(until !== undefined, (query) => query.where((is) => is.or([is('started_at', '<=', until ?? 0), is('started_at', 'is', null)])))
    .orderBy('key', 'desc')
    .limit(limit)
    .execute();
  return rows.map((row) => ({ uid: row.uid, ...jobTotalsOf(row, name) }));
}

/** By name or uid; of several of one name, the newest. null: nothing is on record of it. */
export async function findJob({ queries, name }: HistoryDatabase, nameOrUid: string): Promise<JobRecord | null> {
  const row = await queries
    .selectFrom('job')
    .selectAll()
    .where((is) => is.or([is('name', '=', nameOrUid), is('uid', '=', nameOrUid)]))
    .orderBy('key', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? null : { uid: row.uid, ...jobTotalsOf(row, name) };
}

/** The nodes whose worker pods have logged something in a job, by name. */
export async function listLoggedNodes(queries: Queries, jobUid: string): Promise<string[]> {
  const rows = await queries
    .selectFrom('log')
    .innerJoin('job', 'job.key', 'log.job_key')
    .select('node')
    .distinct()
    .where('uid', '=', jobUid)
    .orderBy('node')
    .execute();
  return rows.map(({ node }) => node);
}
