import { COORDINATOR } from '../../api/coordinator/coordinator-objects.ts';
import type { OwnContainers } from '../../core/cluster/resolve-components.ts';
import { WORKER_SERVICE_ACCOUNT } from '../../core/cluster/worker-pod.ts';
import type { HistoryPlace } from '../../store/open-place.ts';
import { isPostgresUrl } from '../../store/is-postgres-url.ts';
import { parsePostgresUrl } from '../../store/postgres/parse-postgres-url.ts';
import type { ManagerSettings } from '../manager.ts';
import { badUsage, type Flags } from '../parse-flags.ts';
import type { CoordinatorSettings } from './serve-coordinator.ts';

/** In our images. */
const WORKER_COMMAND = '/usr/bin/worker';
/** What Trivy may unpack of one image: more than most nodes have of their largest. */
const SCANNER_TEMPORARY_BYTES = 4 * 1024 ** 3;

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
      seLinuxType: flags['worker-selinux-type'] ?? null,
      pullSecrets: (env['ERASER_PULL_SECRET_NAMES'] ?? '').split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()])),
      coordinator: { url: `https://${service}.${namespace}.svc:${port}`, audience, caConfigMap },
      scannerTemporaryBytes: SCANNER_TEMPORARY_BYTES,
    },
  };
}

/** @throws FlagError */
export function coordinatorSettingsOf({ flags, env }: Pick<SettingsInput, 'flags' | 'env'>): CoordinatorSettings {
  const advertise = flags['coordinator-advertise'] ?? env['POD_IP'] ?? '';
  if (advertise === '') throw badUsage('--coordinator-advertise: is needed where the environment has no POD_IP');
  return { listen: flags['coordinator-address'], advertise, workerAccount: WORKER_SERVICE_ACCOUNT };
}

/** @throws FlagError */
export function historyPlaceOf({ flags, env }: Pick<SettingsInput, 'flags' | 'env'>): HistoryPlace {
  const { history, 'history-password-file': file } = flags;
  if (!isPostgresUrl(history)) {
    // As the name of a file it would be taken for one that is to be made.
    if (/^[a-z][a-z0-9+.-]*:\/\//i.test(history)) throw badUsage('--history: is a URL, and none of a PostgreSQL (postgres://…)');
    if (file !== undefined) throw badUsage('--history-password-file: goes with a --history that is a URL');
    return { path: history };
  }
  const parsed = parsePostgresUrl(history);
  if (!parsed.ok) throw badUsage(`--history: ${parsed.message}`);
  const text = env['PGPASSWORD'];
  return { url: parsed.url, password: file !== undefined ? { file } : text === undefined ? null : { text } };
}

function ownContainers(flags: Flags): OwnContainers {
  const worker = flags['worker-image'];
  return {
    collector: { image: worker, command: [WORKER_COMMAND, 'collector'] },
    remover: { image: worker, command: [WORKER_COMMAND, 'remover'] },
    scanner: { image: flags['scanner-image'] ?? worker, command: [WORKER_COMMAND, 'trivy-scanner'] },
  };
}
