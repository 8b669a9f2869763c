/** What worker pods and the programs in them agree on, and the part of a Kubernetes Pod that a worker pod is made of, as raw JSON. */

/** Where things are in the containers of a worker pod. Those that Eraser has are where Eraser has them: custom scanners look there. */
export const WORKER_PATHS = {
  config: '/config',
  /** The FIFOs of the hand-over from collector to scanner to remover. */
  sharedData: '/run/eraser.sh/shared-data',
  /** Below it, one folder for each configmap: `0`, `1`, … */
  imageList: '/run/eraser.sh/imagelist',
  exclusions: '/run/image-cleaner/exclusions',
  /** The runtime's socket alone, for custom scanners. */
  runtimeSocket: '/run/cri/cri.sock',
  /** The folder that the runtime's socket is in, for our containers. */
  runtimeFolder: '/run/image-cleaner/runtime',
  /** Its file is `token`. */
  coordinatorToken: '/run/image-cleaner/token',
  coordinatorCa: '/run/image-cleaner/ca',
  temporary: '/tmp',
} as const;

/** Names of volumes; those that there may be several of have `-0`, `-1`, … behind them. */
export const WORKER_VOLUMES = {
  config: 'eraser-config',
  sharedData: 'shared-data',
  imageList: 'image-list',
  exclusions: 'exclusions',
  runtimeSocket: 'runtime-sock-volume',
  runtimeFolder: 'runtime-sock-folder',
  coordinatorToken: 'coordinator-token',
  coordinatorCa: 'coordinator-ca',
  temporary: 'temporary',
} as const;

/** By which the pods of a job are found, and deleted together. */
export const JOB_UID_LABEL = 'eraser.sh/job-uid';

/** The file in the token's folder. */
export const TOKEN_FILE = 'token';

/**
 * `automatic`: collector, scanner where there is one, remover. `manual`: a remover alone, for a list. `remover-only`: a remover alone, which does
 * the automatic run's work without a scan, on a node that has no disk left for one.
 */
export type WorkerKind = 'automatic' | 'manual' | 'remover-only';

export interface WorkerPod {
  readonly apiVersion: 'v1';
  readonly kind: 'Pod';
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly ownerReferences: readonly OwnerReference[];
  };
  readonly spec: WorkerPodSpec;
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller: boolean;
}

export interface WorkerPodSpec {
  readonly restartPolicy: 'Never';
  readonly serviceAccountName: string;
  readonly automountServiceAccountToken: false;
  readonly enableServiceLinks: false;
  readonly activeDeadlineSeconds: number;
  readonly priorityClassName?: string;
  readonly securityContext?: { readonly seLinuxOptions: { readonly type: string } };
  readonly imagePullSecrets: readonly { readonly name: string }[];
  readonly tolerations: readonly { readonly operator: 'Exists' }[];
  readonly affinity: NodeAffinity;
  readonly containers: readonly WorkerContainer[];
  readonly volumes: readonly WorkerVolume[];
}

/** By name, so that the scheduler places the pod, and on one node alone. */
export interface NodeAffinity {
  readonly nodeAffinity: {
    readonly requiredDuringSchedulingIgnoredDuringExecution: {
      readonly nodeSelectorTerms: readonly {
        readonly matchFields: readonly { readonly key: 'metadata.name'; readonly operator: 'In'; readonly values: readonly string[] }[];
      }[];
    };
  };
}

export interface WorkerContainer {
  readonly name: string;
  readonly image: string;
  readonly imagePullPolicy?: 'IfNotPresent';
  readonly command?: readonly string[];
  readonly args: readonly string[];
  readonly env: readonly EnvironmentVariable[];
  readonly resources: {
    readonly requests: Readonly<Record<string, string>>;
    readonly limits: Readonly<Record<string, string>>;
  };
  readonly securityContext?: SecurityContext;
  readonly volumeMounts: readonly VolumeMount[];
}

export type EnvironmentVariable =
  | { readonly name: string; readonly value: string }
  | { readonly name: string; readonly valueFrom: { readonly fieldRef: { readonly fieldPath: string } } };

export interface SecurityContext {
  readonly runAsUser: number;
  readonly allowPrivilegeEscalation: false;
  readonly readOnlyRootFilesystem: true;
  readonly capabilities: { readonly drop: readonly string[] };
  readonly seccompProfile: { readonly type: 'RuntimeDefault' };
}

export interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: true;
}

export type WorkerVolume = { readonly name: string } & (
  | { readonly hostPath: { readonly path: string; readonly type?: string } }
  | { readonly emptyDir: { readonly sizeLimit?: string } }
  | { readonly configMap: { readonly name: string } }
  | { readonly projected: { readonly sources: readonly { readonly serviceAccountToken: ServiceAccountToken }[] } }
);

interface ServiceAccountToken {
  readonly audience: string;
  readonly expirationSeconds: number;
  readonly path: string;
}
