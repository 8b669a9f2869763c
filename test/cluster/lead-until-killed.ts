import { connectToCluster } from '../../src/kube/connect-to-cluster.ts';
import { LeaderElection } from '../../src/kube/leader-election.ts';
import { SYSTEM_TIMING } from '../../src/platform/timing.ts';

/**
 * A process that stands for election, and while it leads writes a line `TERM NANOSECONDS` every 20 ms, on the machine's own clock, which all
 * processes share. Ended by SIGTERM, it steps down first.
 */
const [kubeconfig = '', namespace = '', identity = ''] = process.argv.slice(2);
const stop = new AbortController();
process.on('SIGTERM', () => stop.abort());

const { client } = await connectToCluster({ kubeconfig, environment: {}, userAgent: 'image-cleaner-test', wallNow: Date.now });
const election = new LeaderElection({
  client,
  namespace,
  name: 'leader',
  identity,
  timing: SYSTEM_TIMING,
  wallNow: Date.now,
  onFault: (error) => process.stderr.write(`${String(error)}\n`),
  leaseDurationMs: 6_000,
  renewDeadlineMs: 5_000,
  retryPeriodMs: 300,
});
const end = await election.run(stop.signal, async ({ signal, term, isHeld }) => {
  while (!signal.aborted) {
    if (isHeld()) process.stdout.write(`${term} ${process.hrtime.bigint()}\n`);
    await SYSTEM_TIMING.sleep(20, signal).catch(() => undefined);
  }
});
await client.close();
process.stdout.write(`${end}\n`);
