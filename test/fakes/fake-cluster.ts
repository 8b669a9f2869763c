import { onTestFinished } from 'vitest';
import type { AccessSource } from '../../src/kube/cluster-access.ts';
import { KubeClient } from '../../src/kube/kube-client.ts';
import { SYSTEM_TIMING, type Timing } from '../../src/platform/timing.ts';
import { FakeApiServer } from './fake-api-server.ts';

export interface FakeCluster {
  readonly server: FakeApiServer;
  readonly client: KubeClient;
}

/** Real time, but pauses between attempts that a test can wait for. */
export const QUICK_TIMING: Timing = { ...SYSTEM_TIMING, random: () => 0 };

/** A fake API server and a client of it, both gone when the test ends. */
export async function startFakeCluster(
  options: { readonly timing?: Timing; readonly access?: Partial<AccessSource> } = {},
): Promise<FakeCluster> {
  const server = await new FakeApiServer().start();
  const client = clientOf(server.url, options);
  onTestFinished(async () => {
    await client.close();
    await server.stop();
  });
  return { server, client };
}

export function clientOf(
  server: string,
  { timing, access }: { readonly timing?: Timing; readonly access?: Partial<AccessSource> } = {},
): KubeClient {
  const source: AccessSource = {
    server,
    namespace: 'default',
    current: () => Promise.resolve({ server, tls: { ca: FakeApiServer.authority }, headers: {} }),
    renew: () => undefined,
    ...access,
  };
  return new KubeClient({ access: source, userAgent: 'image-cleaner-test', wallNow: Date.now, timing: timing ?? QUICK_TIMING });
}
