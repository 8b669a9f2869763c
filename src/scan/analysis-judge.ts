import type { ImageAnalysis, ScannerInfo, ScanReport } from '../api/scan-report.ts';
import { untilAborted } from '../platform/until-aborted.ts';
import { DoubtedAnalyses } from './doubted-analyses.ts';
import { evaluateAnalyses } from './evaluate-analyses.ts';
import { ScannerFault, type ScannerFaultCode } from './scanner-fault.ts';
import { ServerBlobs } from './server-blobs.ts';
import { readServerVersion, selfTestServer, type ServerVersion } from './trivy-rpc.ts';
import { connectToUserServer, createUserServer } from './user-server.ts';

export interface AnalysisJudgeOptions {
  /** Of a Trivy server that nobody else uses. */
  readonly url: string;
  /** What tells it from other servers in reports. */
  readonly name: string;
  /** For one answer, ms. */
  readonly timeoutMs: number;
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
  /** The server judges others, and gives no verdict on this one. */
  readonly onGivenUp: (imageId: string, fault: ScannerFault) => void;
}

/** Judges images by what was read of them elsewhere. All calls reject with a `ScannerFault` where the server does not work, or their signal's reason. */
export interface AnalysisJudge {
  /** The server's own Trivy with the database that it has now. */
  scanner(signal: AbortSignal): Promise<ScannerInfo>;
  /** In their order, each by the database that it names; null for one that is of no use, or that the server cannot judge. All are of one version. */
  judge(analyses: readonly ImageAnalysis[], signal: AbortSignal): Promise<readonly (ScanReport | null)[]>;
  close(): void;
}

/** What the server makes of it in its memory is larger. */
const SERVER_BLOB_BYTES = 32 * 1024 * 1024;
/** In the middle of a judgement. */
const MOST_UPDATES = 2;
/** No verdict, for want of time, of a server that has ended, or for an answer that is too large or none: one image may be why. */
const OF_ONE_IMAGE: readonly ScannerFaultCode[] = ['timeout', 'server-unreachable', 'server-bad-answer', 'bad-output'];

export function createAnalysisJudge({ url, name, timeoutMs, now, onGivenUp }: AnalysisJudgeOptions): AnalysisJudge {
  const source = { kind: 'server', url, name } as const;
  const client = connectToUserServer({ env: {}, rpcTimeoutMs: timeoutMs }, source);
  // Of what it stores by which database it judges is no matter.
  const blobs = new ServerBlobs({ client, isOurs: true }, SERVER_BLOB_BYTES);

  const judgeBy = async (
    database: ServerVersion,
    analyses: readonly ImageAnalysis[],
    signal: AbortSignal,
  ): Promise<(ScanReport | null)[]> => {
    const scanner = scannerOf(analyses[0]?.scannerVersion ?? database.version, database);
    const server = createUserServer(client, database);
    return evaluateAnalyses({ scanner, server, blobs }, analyses, signal);
  };

  const judgeTogether = async (analyses: readonly ImageAnalysis[], signal: AbortSignal): Promise<(ScanReport | null)[]> => {
    for (let updates = 0; ; updates += 1) {
      try {
        return await judgeBy(await readServerVersion(client, signal), analyses, signal);
      } catch (error) {
        const isUpdate = error instanceof ScannerFault && error.code === 'database-changed';
        if (!isUpdate || updates === MOST_UPDATES) throw error;
      }
    }
  };

  /** Whether it gives verdicts at all. */
  const works = async (signal: AbortSignal): Promise<boolean> => {
    try {
      await selfTestServer(client, signal);
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ScannerFault) return false;
      throw error;
    }
  };

  const doubts = new DoubtedAnalyses(now);
  let last: Promise<unknown> = Promise.resolve();
  /** No other that is doubted is judged at the same time, so that none is blamed for what another does to the server. */
  const judgeAlone = (analysis: ImageAnalysis, database: string | null, signal: AbortSignal): Promise<ScanReport | null> => {
    const work = async (): Promise<ScanReport | null> => {
      signal.throwIfAborted();
      if (doubts.isGivenUp(analysis, database)) return null;
      // One that cannot be asked at all is away, whatever it would say of the image.
      await readServerVersion(client, signal);
      try {
        const [report = null] = await judgeTogether([analysis], signal);
        doubts.clear(analysis, database);
        return report;
      } catch (error) {
        if (!isOfOneImage(error)) throw error;
        const isCertain = await works(signal);
        doubts.blame(analysis, database, isCertain);
        if (!doubts.isGivenUp(analysis, database)) throw error;
        onGivenUp(analysis.imageId, error);
        return null;
      }
    };
    const mine = last.then(work, work);
    last = mine.catch(() => undefined);
    return untilAborted(mine, signal);
  };

  return {
    scanner: async (signal) => {
      const database = await readServerVersion(client, signal);
      return scannerOf(database.version, database);
    },
    judge: async (analyses, signal) => {
      const { databaseMark } = await readServerVersion(client, signal);
      const together = analyses.filter((analysis) => !doubts.isDoubted(analysis, databaseMark));
      const reports = new Map<ImageAnalysis, ScanReport | null>();
      try {
        const judged = together.length === 0 ? [] : await judgeTogether(together, signal);
        for (const [index, analysis] of together.entries()) reports.set(analysis, judged[index] ?? null);
      } catch (error) {
        if (!isOfOneImage(error)) throw error;
        for (const analysis of together) doubts.doubt(analysis, databaseMark);
      }
      for (const analysis of analyses) if (!reports.has(analysis)) reports.set(analysis, await judgeAlone(analysis, databaseMark, signal));
      return analyses.map((analysis) => reports.get(analysis) ?? null);
    },
    close: () => client.close(),
  };
}

function scannerOf(version: string, { databaseUpdatedAt, databaseMark }: ServerVersion): ScannerInfo {
  return { name: 'trivy', version, databaseUpdatedAt, databaseMark };
}

function isOfOneImage(error: unknown): error is ScannerFault {
  return error instanceof ScannerFault && OF_ONE_IMAGE.includes(error.code);
}
