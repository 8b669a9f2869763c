import { COORDINATOR } from '../../src/api/coordinator/coordinator-objects.ts';
import { bindTokens } from '../../src/controller/bind/coordinator-ports.ts';
import { openStores } from '../../src/controller/bind/open-stores.ts';
import { CoordinatorServer } from '../../src/coordinator/coordinator-server.ts';
import { makeAuthority, makeServerIdentity } from '../../src/coordinator/pki/make-authority.ts';
import { createLog } from '../../src/platform/log.ts';
import { SYSTEM_TIMING } from '../../src/platform/timing.ts';
import { servedCoordinatorSchema, type CoordinatorUsage } from '../served-coordinator.ts';

/**
 * The coordinator as the manager has it, with a history on the disk, for workers of one run; what it would ask the API server (keys of tokens, pods) it has
 * in memory. Prints where it listens, and at each SIGUSR2 what it has used up to then.
 */
const { history, trivyServer, job, namespace, account, nodes, discovery, keys } = servedCoordinatorSchema.parse(
  JSON.parse(process.argv[2] ?? ''),
);
const log = createLog({ write: (line) => void process.stderr.write(line), now: Date.now, fields: {}, least: () => 'warn' });
const stores = await openStores({
  history: { path: history },
  owner: { cluster: 'bench', from: null },
  trivyServer,
  timing: SYSTEM_TIMING,
  wallNow: Date.now,
  log,
});
const client = {
  server: 'https://kubernetes.default.svc',
  getPath: (path: string): Promise<unknown> => Promise.resolve(path.includes('jwks') ? keys : discovery),
  review: (): Promise<never> => Promise.reject(new Error('a token was not told by its signature')),
};
const { audience } = COORDINATOR;
const authority = makeAuthority(Date.now());
const server = new CoordinatorServer({
  ports: {
    ...stores,
    tokens: bindTokens({ client, audience, timing: SYSTEM_TIMING, wallNow: Date.now, log }),
    workerPods: {
      find: ({ uid, name }) => {
        const node = nodes.includes(name) ? name : null;
        return Promise.resolve({ uid, name, namespace, job, node, isFinished: false, isBeingDeleted: false });
      },
    },
    runs: { isRunning: () => Promise.resolve(true), settingsOf: () => Promise.resolve(null), takenUpAt: () => null },
    nodePods: { list: () => Promise.resolve([]) },
  },
  credentials: { audience, username: `system:serviceaccount:${namespace}:${account}` },
  identity: makeServerIdentity(authority, ['localhost'], Date.now()),
  // All workers of the benchmark have the address of this machine.
  limits: { maxConnectionsPerAddress: 2_048 },
  timing: SYSTEM_TIMING,
  wallNow: Date.now,
  onEvent: (event) => log.warn('a call was not answered', { event }),
});
await server.listen({ host: '127.0.0.1', port: 0 });
const print = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);
print({ port: server.port, ca: authority.certificate });
process.on('SIGUSR2', () => {
  const { user, system } = process.cpuUsage();
  print({ cpuMs: (user + system) / 1_000, peakRssBytes: process.resourceUsage().maxRSS * 1024 } satisfies CoordinatorUsage);
});
process.once('SIGTERM', () => process.exit());
