import { resolve } from 'node:path';
import type { BootReading } from '../platform/boot-clock.ts';
import type { Timing } from '../platform/timing.ts';
import { BatchWriter } from './batch-writer.ts';
import type { ClusterHistory, ContainerLogs, NodeImages, NodeResultRecords, NodeScan, NodeScans } from './cluster-history.ts';
import { appendLogPieces, readContainerLogs, readLogPosition, type LogEntry } from './container-logs.ts';
import type { PlannedRun, Sightings } from './history.ts';
import type { Changes } from './history-database.ts';
import { HistoryError } from './history-error.ts';
import type { HistoryOwner } from './history-owner.ts';
import { HistoryTime } from './history-time.ts';
import { endStaysNotSeen, noteSightings, readImageHistories } from './image-sightings.ts';
import { readJobTotals, recordJobBegan, recordJobEnded } from './jobs.ts';
import { nodeEndpoint } from './node-endpoint.ts';
import { readCompleted, readRecordedDigest, recordNodeRuns, type NodeRunEntry } from './node-runs.ts';
import { openPlace, type HistoryPlace } from './open-place.ts';
import { prune } from './prune.ts';
import { ReopeningDatabase } from './reopening-database.ts';
import { isRevokedIn, readLastRevocation, readRevokedSince } from './revocations.ts';
import { keepScanReports, readScanReports } from './scan-records.ts';
import { keepAnalysis, readStoredAnalyses } from './stored-analyses.ts';

export interface OpenClusterHistoryOptions {
  readonly place: HistoryPlace;
  readonly owner: HistoryOwner;
  /** The wall clock. */
  readonly now: () => number;
  readonly bootClock: () => BootReading;
  readonly timing: Timing;
  /** Of Image Cleaner. */
  readonly version: string;
  readonly namesOf: PlannedRun['namesOf'];
  /** Of the logs of all containers, as they are stored: the oldest pieces go for new ones. */
  readonly maxLogBytes?: number;
  /** Told why it cannot be used, and null when it can again. */
  readonly onFault: (fault: HistoryError | null) => void;
}

const MAX_LOG_BYTES = 64 * 1024 * 1024;

/** How long SQLite waits for another writer, in which this process does nothing else. The queues wait longer, and let it go on meanwhile. */
const BUSY_TIMEOUT_MS = 50;

/** Of its content: it has to be another one. */
const NO_HISTORY_OF_OURS: readonly string[] = ['corrupt', 'foreign', 'newer', 'other-cluster'];

/**
 * Opens the history of a cluster, and makes it where there is none. A place that cannot be used now is no error: calls reject until it can be.
 * @throws HistoryError `corrupt`, `foreign`, `newer` or `other-cluster`
 */
export async function openClusterHistory(options: OpenClusterHistoryOptions): Promise<ClusterHistory> {
  const { place, owner } = options;
  const historyName = 'path' in place ? resolve(place.path) : place.url.name;
  const database = new ReopeningDatabase({
    name: historyName,
    open: () => openPlace(place, { busyTimeoutMs: BUSY_TIMEOUT_MS, owner }),
    monotonicNow: () => options.timing.now(),
    onFault: options.onFault,
  });
  try {
    await database.use((opened) => opened.queries.selectFrom('clock').select('id').execute());
  } catch (error) {
    if (!(error instanceof HistoryError) || NO_HISTORY_OF_OURS.includes(error.code)) throw error;
  }
  return createClusterHistory({ ...options, historyName }, database);
}

interface Named extends OpenClusterHistoryOptions {
  /** For messages. */
  readonly historyName: string;
}

interface Parts extends Named {
  readonly database: ReopeningDatabase;
  readonly time: HistoryTime;
}

function createClusterHistory(options: Named, database: ReopeningDatabase): ClusterHistory {
  const time = new HistoryTime(options.now, options.bootClock, true);
  const parts = { ...options, database, time };
  const [looks, scans] = [queueLooks(parts), queueScans(parts)];
  const [results, logs, jobs] = [queueResults(parts), queueLogs(parts), queueJobs(parts)];
  return {
    images: createImages(parts, looks),
    scans: createScans(parts, scans),
    results: createResults(parts, results),
    logs: createLogs(parts, logs),
    recordJobBegan: (job, signal) => jobs.add((changes) => recordJobBegan(changes, time, job), signal),
    recordJobEnded: (uid, endedAt, signal) => jobs.add((changes) => recordJobEnded(changes, time, uid, endedAt), signal),
    readTotals: (jobUid) => database.use((opened) => readJobTotals(opened, jobUid)),
    readCompleted: async (jobUid, signal) => {
      signal.throwIfAborted();
      return database.use((opened) => readCompleted(opened, jobUid));
    },
    readLogs: (run) => database.use(({ queries }) => readContainerLogs(queries, run)),
    prune: (retention, signal) => database.use((opened) => prune(opened, time, retention, signal)),
    get fault() {
      return database.fault;
    },
    close: async () => {
      await Promise.all([looks, scans, results, logs, jobs].map((queue) => queue.close()));
      await database.close();
    },
  };
}

interface NodeLook {
  readonly node: string;
  readonly seen: Sightings;
}

function queueLooks({ time, ...parts }: Parts): BatchWriter<NodeLook> {
  const write = async (changes: Changes, looks: readonly NodeLook[]): Promise<void> => {
    for (const { node, seen } of looks) {
      const runtimeEndpoint = nodeEndpoint(node);
      const seenMs = await noteSightings(changes, { time, runtimeEndpoint }, seen);
      await endStaysNotSeen(changes, runtimeEndpoint, seenMs);
    }
  };
  return new BatchWriter({ ...parts, durability: 'process', write, rowsOf: ({ seen }) => seen.images.length + 1 });
}

function queueScans({ time, ...parts }: Parts): BatchWriter<NodeScan> {
  const write = async (changes: Changes, told: readonly NodeScan[]): Promise<void> => {
    const nowMs = await time.record(changes);
    const revoked = await readRevokedSince(changes, Math.min(...told.map(({ asOf }) => asOf)));
    const scans = told.filter(({ reportedBy, asOf }) => reportedBy === null || (revoked.get(reportedBy) ?? 0) <= asOf);
    for (const { reportedBy, analysis } of scans) if (analysis !== null) await keepAnalysis(changes, { analysis, reportedBy }, nowMs);
    for (const [reportedBy, ofNode] of Map.groupBy(scans, (one) => one.reportedBy)) {
      const reports = ofNode.map(({ report }) => report);
      await keepScanReports(changes, { time, reportedBy }, reports);
    }
  };
  const rowsOf = ({ report, analysis }: NodeScan): number =>
    1 + report.findings.length / FINDINGS_OF_A_ROW + (analysis === null ? 0 : ROWS_OF_AN_ANALYSIS + analysis.parts.length);
  // What a fault of the power takes is scanned again.
  return new BatchWriter({ ...parts, durability: 'process', write, rowsOf });
}

/** What it takes beside its parts. */
const ROWS_OF_AN_ANALYSIS = 5;
/** A report is one row, that takes as long as several where it is large. */
const FINDINGS_OF_A_ROW = 50;

function queueResults(parts: Parts): BatchWriter<NodeRunEntry> {
  const write = (changes: Changes, entries: readonly NodeRunEntry[]): Promise<void> => recordNodeRuns(changes, parts, entries);
  return new BatchWriter({ ...parts, durability: 'power', write, rowsOf: ({ results }) => results.decisions.length + 1 });
}

function queueLogs({ time, maxLogBytes: mostBytes = MAX_LOG_BYTES, ...parts }: Parts): BatchWriter<LogEntry> {
  const write = (changes: Changes, entries: readonly LogEntry[]): Promise<void> => appendLogPieces(changes, { time, mostBytes }, entries);
  // What was acknowledged does not come again.
  return new BatchWriter({ ...parts, durability: 'power', write, rowsOf: ({ piece }) => piece.lines.length + 1 });
}

type JobChange = (changes: Changes) => Promise<void>;

function queueJobs(parts: Parts): BatchWriter<JobChange> {
  const write = async (changes: Changes, facts: readonly JobChange[]): Promise<void> => {
    for (const record of facts) await record(changes);
  };
  return new BatchWriter({ ...parts, durability: 'power', write, rowsOf: () => 1 });
}

function createImages({ database, time }: Parts, looks: BatchWriter<NodeLook>): NodeImages {
  return {
    observe: async ({ node }, { inventory: { images }, inUse }, signal) => {
      await looks.add({ node, seen: { images, inUse: new Set(inUse) } }, signal);
      const ids = images.map(({ id }) => id);
      return database.use((opened) => readImageHistories({ database: opened, time, runtimeEndpoint: nodeEndpoint(node) }, ids));
    },
  };
}

function createScans({ database, time }: Parts, scans: BatchWriter<NodeScan>): NodeScans {
  return {
    readReports: async ({ imageIds, scanner }, signal) => {
      signal.throwIfAborted();
      const { found } = await database.use((opened) => readScanReports({ database: opened, time }, imageIds, scanner));
      return found;
    },
    readAnalyses: async ({ imageIds, scanner }, signal) => {
      signal.throwIfAborted();
      const ifSpace = (work: () => Promise<void>): Promise<void> => work();
      return database.use((opened) => readStoredAnalyses({ database: opened, ifSpace, isReadOnly: true }, imageIds, scanner));
    },
    keep: async (told, signal) => {
      await Promise.all(told.map((scan) => scans.add(scan, signal)));
    },
    lastRevocation: async (signal) => {
      signal.throwIfAborted();
      return database.use(({ queries }) => readLastRevocation(queries));
    },
    isRevokedIn: async (run, signal) => {
      signal.throwIfAborted();
      return database.use(({ queries }) => isRevokedIn(queries, run));
    },
  };
}

function createResults({ database }: Parts, results: BatchWriter<NodeRunEntry>): NodeResultRecords {
  return {
    recordedDigest: async (run, signal) => {
      signal.throwIfAborted();
      return database.use(({ queries }) => readRecordedDigest(queries, run));
    },
    record: ({ job, node }, sent, digest, signal) => results.add({ run: { job, node }, results: sent, digest }, signal),
  };
}

function createLogs({ database }: Parts, logs: BatchWriter<LogEntry>): ContainerLogs {
  return {
    position: async ({ podUid }, container, signal) => {
      signal.throwIfAborted();
      return database.use(({ queries }) => readLogPosition(queries, podUid, container));
    },
    append: (pod, piece, signal) => logs.add({ pod, piece }, signal),
  };
}
