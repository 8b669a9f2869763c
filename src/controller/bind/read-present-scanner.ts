import { TRIVY_SERVER_NAME } from '../../api/coordinator/coordinator-api.ts';
import type { ScannerInfo } from '../../api/scan-report.ts';

const TIME_LIMIT_MS = 5_000;

/** Trivy with the database that its server at this URL judges by now. Rejects where the server does not tell. */
export async function readPresentScanner(url: string, signal: AbortSignal): Promise<ScannerInfo> {
  // Of use only for a node under disk pressure: not loaded before.
  const [{ connectToUserServer }, { readServerVersion }] = await Promise.all([
    import('../../scan/user-server.ts'),
    import('../../scan/trivy-rpc.ts'),
  ]);
  const client = connectToUserServer({ env: {}, rpcTimeoutMs: TIME_LIMIT_MS }, { kind: 'server', url, name: TRIVY_SERVER_NAME });
  try {
    const { version, databaseUpdatedAt, databaseMark } = await readServerVersion(client, signal);
    return { name: 'trivy', version, databaseUpdatedAt, databaseMark };
  } finally {
    client.close();
  }
}
