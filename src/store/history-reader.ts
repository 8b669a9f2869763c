import { readContainerLogs } from './container-logs.ts';
import type { HistoryReader } from './history.ts';
import type { HistoryDatabase } from './history-database.ts';
import type { HistoryTime } from './history-time.ts';
import { findJob, listJobs, listLoggedNodes } from './read-jobs.ts';
import { listRuns, readDecisions, readImageDecisions, readRun } from './read-runs.ts';
import { readNodeVerdicts } from './revocations.ts';

/** What a history is asked for, whatever holds it. */
export function createHistoryReader(database: HistoryDatabase, time: HistoryTime): Omit<HistoryReader, 'close'> {
  return {
    listRuns: (query) => listRuns(database, query),
    readRun: (runId) => readRun(database, runId),
    readDecisions: (runId) => readDecisions(database, runId),
    readImageDecisions: (query) => readImageDecisions(database, query),
    listJobs: (query) => listJobs(database, query),
    findJob: (nameOrUid) => findJob(database, nameOrUid),
    listLoggedNodes: (jobUid) => listLoggedNodes(database.queries, jobUid),
    readVerdicts: (node) => readNodeVerdicts(database.queries, time, node),
    readLogs: (run) => readContainerLogs(database.queries, run),
  };
}
