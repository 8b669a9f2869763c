import { readContainerLogs } from './container-logs.ts';
import type { HistoryReader } from './history.ts';
import type { HistoryDatabase } from './history-database.ts';
import { findJob, listJobs, listLoggedNodes } from './read-jobs.ts';
import { listRuns, readDecisions, readImageDecisions, readRun } from './read-runs.ts';

/** What a history is asked for, whatever holds it. */
export function createHistoryReader(database: HistoryDatabase): Omit<HistoryReader, 'close'> {
  return {
    listRuns: (query) => listRuns(database, query),
    readRun: (runId) => readRun(database, runId),
    readDecisions: (runId) => readDecisions(database, runId),
    readImageDecisions: (query) => readImageDecisions(database, query),
    listJobs: (query) => listJobs(database, query),
    findJob: (nameOrUid) => findJob(database, nameOrUid),
    listLoggedNodes: (jobUid) => listLoggedNodes(database.queries, jobUid),
    readLogs: (run) => readContainerLogs(database.queries, run),
  };
}
