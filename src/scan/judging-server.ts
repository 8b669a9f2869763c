import type { RpcAnswer, RpcClient } from './rpc-client.ts';
import type { ScannerFault } from './scanner-fault.ts';

/** Trivy's requests in the scan of one image, as it made them. */
export interface ReadImage {
  /** Those that store a layer each, by its key. */
  readonly parts: ReadonlyMap<string, Uint8Array>;
  /** The one that stores what the configuration tells. */
  readonly putArtifact: Uint8Array;
  /** The one for the verdict. */
  readonly scan: Uint8Array;
}

/** The answer to the request for the verdict, or the first refusal. */
export type JudgeAtOnce = (image: ReadImage, signal: AbortSignal) => Promise<RpcAnswer>;

/** The Trivy server whose database judges: one that we started, or the user's. */
export interface JudgingServer {
  readonly client: RpcClient;
  /** Has one image judged by all that was read out of it; null: the server is to be asked call by call. */
  readonly judgeAtOnce: JudgeAtOnce | null;
  /** Whether nobody else uses what it stores, so that it may be deleted. */
  readonly isOurs: boolean;
  /** false: nothing can be asked of it any more. */
  isAlive(): boolean;
  /** Throws a `ScannerFault` with `database-changed` unless all that was judged up to now was judged by the database that the probe named. */
  checkDatabase(signal: AbortSignal): Promise<void>;
  /** What a failed call of it means, with what else is known of it. */
  explain(error: unknown): Promise<unknown>;
  /** The fault where a refusal with this message means that the database is damaged or another; null: something is wrong with one image. */
  databaseFault(message: string): Promise<ScannerFault | null>;
  close(): Promise<void>;
}
