import { describe } from 'vitest';
import { apiServerContract } from '../contract/api-server-contract.ts';
import { FakeApiServer } from '../fakes/fake-api-server.ts';
import { clientOf } from '../fakes/fake-cluster.ts';

describe('the fake API server', () => {
  apiServerContract(async () => {
    const server = await new FakeApiServer().start();
    server.tokens = new Set(['known']);
    const as = (token: string): ReturnType<typeof clientOf> =>
      clientOf(server.url, {
        access: {
          current: () =>
            Promise.resolve({ server: server.url, tls: { ca: FakeApiServer.authority }, headers: { authorization: `Bearer ${token}` } }),
        },
      });
    const [client, stranger] = [as('known'), as('unknown')];
    const close = async (): Promise<void> => {
      await Promise.all([client.close(), stranger.close()]);
      await server.stop();
    };
    return { client, stranger, namespace: 'contract', close };
  });
});
