import * as z from 'zod';
import { CONFIG_MAP_KEY, CONFIG_MAP_NAME } from '../api/eraser-config/config-map.ts';
import { MANAGER } from '../installation/make-manifest.ts';
import { CONFIG_MAPS, DEPLOYMENTS } from '../kube/resource.ts';
import type { ClusterSite } from './cluster-site.ts';

/** What of an installation is in the cluster. */
export interface FoundInstallation {
  readonly namespace: string;
  /** null: there is no Deployment of the manager, as after a disable. */
  readonly manager: FoundManager | null;
  /** The text of the configuration; null: there is none. */
  readonly configuration: string | null;
}

export interface FoundManager {
  /** Of each container, by its name: `manager`, `trivy-server`. Eraser's manager has the first alone. */
  readonly images: Readonly<Record<string, string>>;
  /** Whether it is Image Cleaner's; else it is Eraser's, whose Deployment has the same name. */
  readonly isOurs: boolean;
  readonly replicas: number;
  readonly readyReplicas: number;
}

const deploymentSchema = z.object({
  metadata: z.object({ labels: z.record(z.string(), z.string()).default({}) }),
  spec: z.object({
    replicas: z.int().default(1),
    template: z.object({ spec: z.object({ containers: z.array(z.object({ name: z.string(), image: z.string() })) }) }),
  }),
  status: z.object({ readyReplicas: z.int().default(0) }).default({ readyReplicas: 0 }),
});
const configMapSchema = z.object({ data: z.record(z.string(), z.string()).default({}) });

/** Reads two objects; throws a KubeError when they cannot be read. */
export async function readInstallation({ client, namespace, call }: ClusterSite): Promise<FoundInstallation> {
  const [deployment, configMap] = await Promise.all([
    client.find({ resource: DEPLOYMENTS, namespace, name: MANAGER }, call),
    client.find({ resource: CONFIG_MAPS, namespace, name: CONFIG_MAP_NAME }, call),
  ]);
  const configuration = configMap === null ? null : (configMapSchema.parse(configMap).data[CONFIG_MAP_KEY] ?? null);
  return { namespace, manager: deployment === null ? null : foundManager(deploymentSchema.parse(deployment)), configuration };
}

function foundManager({ metadata, spec, status }: z.output<typeof deploymentSchema>): FoundManager {
  return {
    images: Object.fromEntries(spec.template.spec.containers.map(({ name, image }) => [name, image])),
    isOurs: metadata.labels['app.kubernetes.io/name'] === 'image-cleaner',
    replicas: spec.replicas,
    readyReplicas: status.readyReplicas,
  };
}
