import { join } from 'node:path';
import { CA_BUNDLE_FILE, type NodeRun } from '../../api/coordinator/coordinator-api.ts';
import { CoordinatorClient } from '../../coordinator/client/coordinator-client.ts';
import { SYSTEM_TIMING } from '../../platform/timing.ts';
import { badUsage } from '../parse-arguments.ts';

/** Where the coordinator is, and what a worker pod has to be heard by it. */
export interface CoordinatorAccess extends NodeRun {
  readonly url: string;
  readonly tokenFile: string;
  readonly caFile: string;
}

/** null: there is no coordinator. @throws WorkerError `bad-usage` */
export function readCoordinatorAccess(env: NodeJS.ProcessEnv): CoordinatorAccess | null {
  const { NODE_NAME: node, JOB_UID: job, COORDINATOR_URL: url, COORDINATOR_TOKEN_FILE: tokenFile, COORDINATOR_CA_FOLDER: caFolder } = env;
  if (url === undefined || url === '') return null;
  if (node === undefined || job === undefined || tokenFile === undefined || caFolder === undefined) {
    throw badUsage('NODE_NAME, JOB_UID, COORDINATOR_TOKEN_FILE and COORDINATOR_CA_FOLDER go with COORDINATOR_URL');
  }
  // The token is worth as much as the worker: it goes to nobody who has not proven who he is.
  if (URL.parse(url)?.protocol !== 'https:') throw badUsage('COORDINATOR_URL is to be an https:// address');
  return { url, node, job, tokenFile, caFile: join(caFolder, CA_BUNDLE_FILE) };
}

export interface ClientOptions {
  /** Milliseconds since the epoch. */
  readonly wallNow: () => number;
  /** How long the coordinator may be away; null: as long as the call's signal says. */
  readonly giveUpAfterMs: number | null;
  readonly onRetry: (failure: { readonly code: string; readonly message: string }, pauseMs: number) => void;
}

export function createCoordinatorClient(access: CoordinatorAccess, options: ClientOptions): CoordinatorClient {
  return new CoordinatorClient({ ...access, ...options, timing: SYSTEM_TIMING });
}
