import type { ImageAnalysis, ScannerInfo, ScanReport } from '../api/scan-report.ts';
import { evaluateAnalyses } from './evaluate-analyses.ts';
import { ScannerFault } from './scanner-fault.ts';
import { ServerBlobs } from './server-blobs.ts';
import { readServerVersion, type ServerVersion } from './trivy-rpc.ts';
import { connectToUserServer, createUserServer } from './user-server.ts';

export interface AnalysisJudgeOptions {
  /** Of a Trivy server that nobody else uses. */
  readonly url: string;
  /** What tells it from other servers in reports. */
  readonly name: string;
  /** For one answer, ms. */
  readonly timeoutMs: number;
}

/** Judges images by what was read of them elsewhere. All calls reject with a `ScannerFault` where the server does not work, or their signal's reason. */
export interface AnalysisJudge {
  /** Trivy with the database that the server has now. `version`: of the Trivy that read the images; null: the server's own. */
  scanner(version: string | null, signal: AbortSignal): Promise<ScannerInfo>;
  /** In their order; null for one that is of no use. All are of one version, and judged by one database. */
  judge(analyses: readonly ImageAnalysis[], signal: AbortSignal): Promise<readonly (ScanReport | null)[]>;
  close(): void;
}

/** What the server makes of it in its memory is larger. */
const SERVER_BLOB_BYTES = 32 * 1024 * 1024;
/** In the middle of a judgement. */
const MOST_UPDATES = 2;

export function createAnalysisJudge({ url, name, timeoutMs }: AnalysisJudgeOptions): AnalysisJudge {
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

  return {
    scanner: async (version, signal) => {
      const database = await readServerVersion(client, signal);
      return scannerOf(version ?? database.version, database);
    },
    judge: async (analyses, signal) => {
      for (let updates = 0; ; updates += 1) {
        try {
          return await judgeBy(await readServerVersion(client, signal), analyses, signal);
        } catch (error) {
          const isUpdate = error instanceof ScannerFault && error.code === 'database-changed';
          if (!isUpdate || updates === MOST_UPDATES) throw error;
        }
      }
    },
    close: () => client.close(),
  };
}

function scannerOf(version: string, { databaseUpdatedAt, databaseMark }: ServerVersion): ScannerInfo {
  return { name: 'trivy', version, databaseUpdatedAt, databaseMark };
}
