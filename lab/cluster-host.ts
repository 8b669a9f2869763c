import { once } from 'node:events';
import { join } from 'node:path';
import * as z from 'zod';
import { errorMessage, RoomError } from '../src/platform/errors.ts';
import { startCluster } from './cluster.ts';
import type { HostMessage } from './cluster-host-messages.ts';
import { clusterStateFile, removeClusterState, writeClusterState } from './cluster-state.ts';

/** The process that holds the cluster of `npm run cluster up`, from which the command goes away again: ended, it takes the cluster along. */
const nodes = z.union([z.literal(1), z.literal(2), z.literal(3)]).parse(Number(process.argv[2]));
const file = clusterStateFile();
const tell = (message: HostMessage): void => {
  if (process.connected) process.send?.(message);
};

// A command that goes away too early was interrupted; nobody would know of the cluster.
const onDisconnect = (): never => process.exit(1);
process.once('disconnect', onDisconnect);
try {
  const cluster = await startCluster({ nodes }, (line) => tell({ kind: 'progress', line }));
  process.off('disconnect', onDisconnect);
  process.once('exit', () => removeClusterState(file));
  writeClusterState(file, {
    upSince: new Date().toISOString(),
    kubeconfig: cluster.kubeconfig,
    kubectl: cluster.facts.kubectl,
    logs: join(cluster.place.root, 'log'),
    nodes: cluster.nodes.map(({ name }) => name),
  });
  const alive = setInterval(() => undefined, 60_000);
  const stopped = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  tell({ kind: 'up' });
  await stopped;
  clearInterval(alive);
  await cluster.stop();
  process.exit(0);
} catch (error) {
  const hint = error instanceof RoomError ? error.hint : undefined;
  tell({ kind: 'failed', message: errorMessage(error), ...(hint === undefined ? {} : { hint }) });
  process.exitCode = 1;
  process.disconnect();
}
