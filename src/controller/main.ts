#!/usr/bin/env node
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import packageJson from '../../package.json' with { type: 'json' };
import { connectToCluster } from '../kube/connect-to-cluster.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { LeaderElection } from '../kube/leader-election.ts';
import { readClusterUid } from '../kube/read-cluster-uid.ts';
import { CONFIG_MAPS } from '../kube/resource.ts';
import { errorFields, errorMessage } from '../platform/errors.ts';
import { SYSTEM_TIMING } from '../platform/timing.ts';
import { lead } from './bind/lead.ts';
import { openStores, type OpenStores } from './bind/open-stores.ts';
import { coordinatorSettingsOf, historyPlaceOf, settingsOf } from './bind/settings-of.ts';
import type { RunningCopies } from './bind/start-copies.ts';
import { serveHealth, type Health } from './health-server.ts';
import { createLog, type LogLevel } from '../platform/log.ts';
import type { Manager } from './manager.ts';
import { FlagError, parseFlags, type Flags } from './parse-flags.ts';
import { firstTermAfter, STATE_CONFIG_MAP, STATE_KEY } from './state/manager-state.ts';

const EXIT = { done: 0, failed: 1, badUsage: 2 } as const;

/** The Lease of the one that leads, in the manager's namespace. */
const LEASE = 'eraser-controller-manager';
/** A copy that has heard nothing for so long will not again: watches have a bookmark every minute, and are opened anew sooner. */
const STALE_SECONDS = 15 * 60;

const { env } = process;
const stop = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => stop.abort(new Error(`stopped by ${name}`)));
// Whoever reads the log may go away; the work goes on.
process.stdout.on('error', () => undefined);

let parts: { readonly manager: Manager; readonly copies: RunningCopies } | null = null;
let flagLevel: LogLevel | undefined;
const log = createLog({
  write: (line) => process.stdout.write(line),
  now: Date.now,
  fields: { component: 'manager' },
  least: () => flagLevel ?? configuredLevel(),
});

/** The configuration's levels that are none of ours are those of Go's zap, above `error`. */
function configuredLevel(): LogLevel {
  const said = parts?.manager.inputs.configuration?.config.manager.logLevel ?? 'info';
  return said === 'debug' || said === 'info' || said === 'warn' ? said : 'error';
}

/** null: there is no file, and then the configmap alone counts. */
async function readMounted(path: string | undefined): Promise<string | null> {
  if (path === undefined) return null;
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    log.warn('the configuration file cannot be read', { path, error: errorMessage(error) });
    return null;
  }
}

/** null: nothing was ever kept. */
function readStateText(object: KubeObject | null): string | null {
  const data = (object?.['data'] ?? {}) as Readonly<Record<string, string>>;
  return data[STATE_KEY] ?? null;
}

function readHealth(leader: string): Health {
  const silence = parts?.copies.secondsSinceLastEvent ?? 0;
  const gate = parts?.manager.inputs.gate;
  return {
    isAlive: silence < STALE_SECONDS,
    isReady: true,
    details: {
      leading: parts !== null,
      leader,
      secondsSinceLastEvent: Math.round(silence),
      ...(gate?.kind === 'closed' ? { noRunBegins: gate.reason } : {}),
    },
  };
}

async function run(flags: Flags): Promise<number> {
  const { kubeconfig } = flags;
  flagLevel = flags['log-level'];
  const history = historyPlaceOf({ flags, env });
  const cluster = await connectToCluster({
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    environment: env,
    userAgent: `image-cleaner-controller/${packageJson.version}`,
    wallNow: Date.now,
  });
  const namespace = flags.namespace ?? env['POD_NAMESPACE'] ?? cluster.namespace;
  const settings = settingsOf({ flags, namespace, env, mountedText: await readMounted(flags.config) });
  const leaseMs = Math.max(2_000, Math.ceil(flags['lease-duration'] / 1_000) * 1_000);
  const instance = env['POD_NAME'] ?? hostname();
  const election = new LeaderElection({
    client: cluster.client,
    namespace,
    name: LEASE,
    identity: `${instance}_${randomUUID()}`,
    timing: SYSTEM_TIMING,
    wallNow: Date.now,
    onFault: (error) => log.warn('leader election: an attempt failed', errorFields(error)),
    leaseDurationMs: leaseMs,
    renewDeadlineMs: (leaseMs * 2) / 3,
    retryPeriodMs: leaseMs / 8,
    firstTerm: async (signal) => {
      const reference = { resource: CONFIG_MAPS, namespace, name: STATE_CONFIG_MAP };
      return firstTermAfter(readStateText(await cluster.client.find(reference, { signal })));
    },
  });
  const health = await serveHealth(() => readHealth(election.leader), flags['health-address']);
  log.info('started', { version: packageJson.version, namespace, server: cluster.client.server, healthPort: health.port });
  const onStart = (started: NonNullable<typeof parts>): void => {
    parts = started;
  };
  const stores = async (): Promise<OpenStores> => {
    const owner = { cluster: await readClusterUid(cluster.client, stop.signal), from: flags['history-from-cluster'] ?? null };
    return openStores({ history, owner, trivyServer: flags['trivy-server'], timing: SYSTEM_TIMING, wallNow: Date.now, log });
  };
  const coordinator = coordinatorSettingsOf({ flags, env });
  const options = {
    client: cluster.client,
    settings,
    coordinator,
    stores,
    instance,
    timing: SYSTEM_TIMING,
    wallNow: Date.now,
    log,
    onStart,
  };
  try {
    const end = await election.run(stop.signal, (leadership) => lead(options, leadership));
    log.info('ended', { end });
    // Another leads: begin anew, as a candidate.
    return end === 'lost' ? EXIT.failed : EXIT.done;
  } finally {
    await health.close();
    await cluster.client.close();
  }
}

try {
  process.exitCode = await run(parseFlags(process.argv.slice(2)));
} catch (error) {
  log.error('failed', errorFields(error));
  process.exitCode = error instanceof FlagError ? EXIT.badUsage : EXIT.failed;
}
