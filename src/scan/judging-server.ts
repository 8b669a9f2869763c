import type { RpcCalls } from './rpc-client.ts';
import type { ScannerFault } from './scanner-fault.ts';

/** The Trivy server whose database judges: one that we started, or the user's. */
export interface JudgingServer {
  readonly client: RpcCalls;
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
