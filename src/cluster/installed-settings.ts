import * as z from 'zod';
import { HISTORY_FILE, type HistoryServer } from '../installation/history-server.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { historyServerSchema, readHistoryServer } from './read-history-server.ts';

/** What of an installation its operator chooses beside the configuration. */
export interface InstallationSettings {
  readonly image: string;
  readonly scannerImage: string;
  /** Further flags of the manager, and of `trivy server`. */
  readonly managerArgs: readonly string[];
  readonly trivyArgs: readonly string[];
  /** A folder of the node that holds the vulnerability database; null: the pod has one of its own. */
  readonly trivyCacheHostPath: string | null;
  /** null: the history is a file in the pod. */
  readonly historyServer: HistoryServer | null;
}

/** Where only names and kinds of the objects count. */
export const NO_SETTINGS: InstallationSettings = {
  image: '',
  scannerImage: '',
  managerArgs: [],
  trivyArgs: [],
  trivyCacheHostPath: null,
  historyServer: null,
};

/** On the configmap of the configuration: what a disabled installation is enabled with again. */
export const SETTINGS_ANNOTATION = 'eraser.sh/disabled-installation';

const storedSchema = z.object({
  image: z.string().min(1),
  scannerImage: z.string().min(1),
  managerArgs: z.array(z.string()),
  trivyArgs: z.array(z.string()),
  trivyCacheHostPath: z.string().nullable(),
  // Not there in what earlier versions have stored.
  historyServer: historyServerSchema.nullable().default(null),
});

/** null: there are none, or nobody can read them. */
export function parseStoredSettings(text: string | undefined): InstallationSettings | null {
  if (text === undefined) return null;
  try {
    return storedSchema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}

const deploymentSchema = z.object({
  spec: z.object({
    template: z.object({
      spec: z.object({
        containers: z.array(z.object({ name: z.string(), image: z.string(), args: z.array(z.string()).default([]) })),
        volumes: z.array(z.looseObject({ name: z.string(), hostPath: z.object({ path: z.string() }).optional() })).default([]),
      }),
    }),
  }),
});

/** Flags that every installation has. */
const MANAGER_FLAGS = ['--config=', '--worker-image=', '--scanner-image=', '--worker-priority-class=', `--history=${HISTORY_FILE}`];
const TRIVY_FLAGS = ['server', '--listen=', '--cache-dir=', '--cache-backend=', '--no-progress'];

/** As the manager's Deployment says, also where an operator has changed it; null: it is none of ours. */
export function settingsOfDeployment(deployment: KubeObject): InstallationSettings | null {
  const parsed = deploymentSchema.safeParse(deployment);
  if (!parsed.success) return null;
  const { containers, volumes } = parsed.data.spec.template.spec;
  const manager = containers.find(({ name }) => name === 'manager');
  const trivy = containers.find(({ name }) => name === 'trivy-server');
  if (manager === undefined || trivy === undefined) return null;
  const others = (args: readonly string[], known: readonly string[]): string[] =>
    args.filter((arg) => !known.some((flag) => (flag.endsWith('=') ? arg.startsWith(flag) : arg === flag)));
  const history = readHistoryServer({ args: manager.args, volumes });
  return {
    image: manager.image,
    scannerImage: trivy.image,
    managerArgs: others(history?.others ?? manager.args, MANAGER_FLAGS),
    trivyArgs: others(trivy.args, TRIVY_FLAGS),
    trivyCacheHostPath: volumes.find(({ name }) => name === 'trivy-cache')?.hostPath?.path ?? null,
    historyServer: history?.server ?? null,
  };
}
