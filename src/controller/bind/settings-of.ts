import type { OwnContainers } from '../../core/cluster/resolve-components.ts';
import type { ManagerSettings } from '../manager.ts';
import type { Flags } from '../parse-flags.ts';

/** In our images. */
const WORKER_COMMAND = '/usr/bin/worker';
/** What Trivy may unpack of one image: more than most nodes have of their largest. */
const SCANNER_TEMPORARY_BYTES = 4 * 1024 ** 3;

/** The coordinator's Service and what belongs to it. */
export const COORDINATOR = {
  service: 'eraser-coordinator',
  port: 8443,
  audience: 'eraser-coordinator',
  caConfigMap: 'eraser-coordinator-ca',
} as const;

export interface SettingsInput {
  readonly flags: Flags;
  readonly namespace: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly mountedText: string | null;
}

export function settingsOf({ flags, namespace, env, mountedText }: SettingsInput): ManagerSettings {
  const { service, port, audience, caConfigMap } = COORDINATOR;
  return {
    own: ownContainers(flags),
    historyLimit: flags['job-history-limit'],
    mountedText,
    maxParallel: flags['max-parallel'] ?? null,
    timeouts: { startMs: flags['start-timeout'], runMs: flags['run-timeout'] },
    nodeGraceMs: flags['lost-node-timeout'],
    frame: {
      namespace,
      priorityClassName: flags['worker-priority-class'] ?? null,
      pullSecrets: (env['ERASER_PULL_SECRET_NAMES'] ?? '').split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()])),
      coordinator: { url: `https://${service}.${namespace}.svc:${port}`, audience, caConfigMap },
      scannerTemporaryBytes: SCANNER_TEMPORARY_BYTES,
    },
  };
}

function ownContainers(flags: Flags): OwnContainers {
  const worker = flags['worker-image'];
  return {
    collector: { image: worker, command: [WORKER_COMMAND, 'collector'] },
    remover: { image: worker, command: [WORKER_COMMAND, 'remover'] },
    scanner: { image: flags['scanner-image'] ?? worker, command: [WORKER_COMMAND, 'trivy-scanner'] },
  };
}
