import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { ControllerInTest } from '../../../test/fakes/coordinator-in-test.ts';
import { startFakeCluster } from '../../../test/fakes/fake-cluster.ts';
import { logInTest } from '../../../test/fakes/log-in-test.ts';
import { COORDINATOR } from '../../api/coordinator/coordinator-objects.ts';
import { SYSTEM_TIMING } from '../../platform/timing.ts';
import { WorkerPods } from '../image-job/worker-pods.ts';
import { NotLeading } from './bind-cluster-api.ts';
import { serveCoordinator } from './serve-coordinator.ts';

const NAMESPACE = 'eraser-system';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

test('who stops to lead before workers are sent to it does not go on to listen', async () => {
  const cluster = await startFakeCluster();
  const port = await freePort();
  const { images, results, logs, verdicts } = new ControllerInTest().ports;
  // Lost between the certificates and the Service.
  const isHeld = (): boolean => cluster.server.history.get('/configmaps', `${NAMESPACE}/${COORDINATOR.caConfigMap}`) === undefined;
  const serving = serveCoordinator(
    {
      client: cluster.client,
      namespace: NAMESPACE,
      settings: { listen: { host: '127.0.0.1', port }, advertise: '127.0.0.1', workerAccount: 'workers' },
      manager: {
        findRun: () => ({ kind: 'over' }),
        pods: new WorkerPods({ values: () => [] }),
        noteReported: () => undefined,
        noteKeptAsEraser: () => undefined,
      },
      stores: { images, results, logs, verdicts },
      isHeld,
      timing: SYSTEM_TIMING,
      wallNow: Date.now,
      log: logInTest().log,
    },
    new AbortController().signal,
  );
  await expect(serving).rejects.toThrow(NotLeading);
  const answer = await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve('connected'));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
  });
  expect(answer).toBe('ECONNREFUSED');
});
