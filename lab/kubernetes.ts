import { join } from 'node:path';
import type { OnProgress } from './debian-tools.ts';
import type { GoTool } from './go-tools.ts';
import { ensureGoTool } from './go-tools.ts';

/** The paths of Kubernetes' binaries. */
export interface KubernetesTools extends ControlPlaneTools {
  readonly kubeControllerManager: string;
  readonly kubeScheduler: string;
  readonly kubelet: string;
  readonly kubeProxy: string;
  readonly kubectl: string;
  readonly coredns: string;
}

export interface ControlPlaneTools {
  readonly etcd: string;
  readonly kubeApiserver: string;
}

/** 1.35.4: the minor version is also that of the modules which Kubernetes keeps in its own tree and publishes one by one. */
const MINOR_AND_PATCH = '35.4';
const STAGING = [
  'api',
  'apiextensions-apiserver',
  'apimachinery',
  'apiserver',
  'cli-runtime',
  'client-go',
  'cloud-provider',
  'cluster-bootstrap',
  'code-generator',
  'component-base',
  'component-helpers',
  'controller-manager',
  'cri-api',
  'cri-client',
  'csi-translation-lib',
  'dynamic-resource-allocation',
  'endpointslice',
  'externaljwt',
  'kms',
  'kube-aggregator',
  'kube-controller-manager',
  'kube-proxy',
  'kube-scheduler',
  'kubectl',
  'kubelet',
  'metrics',
  'mount-utils',
  'pod-security-admission',
  'sample-apiserver',
  'sample-cli-plugin',
  'sample-controller',
];
/** The API server first: most is compiled for it. */
const COMMANDS = ['kube-apiserver', 'kubectl', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy'];
const [MINOR = ''] = MINOR_AND_PATCH.split('.');

const KUBERNETES: GoTool = {
  name: 'kubernetes',
  module: 'k8s.io/kubernetes',
  version: `v1.${MINOR_AND_PATCH}`,
  go: '1.25.0',
  commands: Object.fromEntries(COMMANDS.map((name) => [name, `k8s.io/kubernetes/cmd/${name}`])),
  replacements: Object.fromEntries(STAGING.map((name) => [`k8s.io/${name}`, `v0.${MINOR_AND_PATCH}`])),
  // The kubelet says its version to the API server, which refuses what it can't read.
  variables: Object.fromEntries(
    ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((version) => [
      [`${version}.gitVersion`, `v1.${MINOR_AND_PATCH}`],
      [`${version}.gitMajor`, '1'],
      [`${version}.gitMinor`, MINOR],
      [`${version}.gitTreeState`, 'clean'],
    ]),
  ),
  tags: [],
  env: {},
  duration: '6 to 10 minutes, 3 GB of build cache the first time',
};

const ETCD: GoTool = {
  name: 'etcd',
  module: 'go.etcd.io/etcd/server/v3',
  version: 'v3.6.12',
  go: '1.25.0',
  commands: { etcd: 'go.etcd.io/etcd/server/v3' },
  variables: {},
  tags: [],
  env: {},
  duration: 'half a minute',
};

/** CoreDNS itself is made of every plugin there is; this one has what cluster DNS needs. */
const COREDNS_PLUGINS = ['bind', 'errors', 'cache', 'kubernetes'];

const COREDNS: GoTool = {
  name: 'coredns',
  module: 'github.com/coredns/coredns',
  version: 'v1.14.4',
  go: '1.26.0',
  commands: { coredns: '.' },
  mainSource: [
    'package main',
    'import (',
    '  "github.com/coredns/coredns/core/dnsserver"',
    '  "github.com/coredns/coredns/coremain"',
    ...COREDNS_PLUGINS.map((plugin) => `  _ "github.com/coredns/coredns/plugin/${plugin}"`),
    ')',
    `func init() { dnsserver.Directives = []string{${COREDNS_PLUGINS.map((plugin) => `"${plugin}"`).join(', ')}} }`,
    'func main() { coremain.Run() }',
    '',
  ].join('\n'),
  variables: {},
  tags: [],
  env: {},
  duration: 'one to two minutes',
};

/** etcd and kube-apiserver (with the rest of Kubernetes, which is built with it). Throws `tool-missing` with the reason. */
export async function ensureControlPlaneTools(onProgress: OnProgress): Promise<ControlPlaneTools> {
  const etcd = await ensureGoTool(ETCD, onProgress);
  const kubernetes = await ensureGoTool(KUBERNETES, onProgress);
  return { etcd: join(etcd, 'etcd'), kubeApiserver: join(kubernetes, 'kube-apiserver') };
}

/** Kubernetes 1.35, etcd and CoreDNS, built into the cache when they aren't there. Throws `tool-missing` with the reason. */
export async function ensureKubernetes(onProgress: OnProgress): Promise<KubernetesTools> {
  const controlPlane = await ensureControlPlaneTools(onProgress);
  const kubernetes = await ensureGoTool(KUBERNETES, onProgress);
  const coredns = await ensureGoTool(COREDNS, onProgress);
  const binary = (name: string): string => join(kubernetes, name);
  return {
    ...controlPlane,
    kubeControllerManager: binary('kube-controller-manager'),
    kubeScheduler: binary('kube-scheduler'),
    kubelet: binary('kubelet'),
    kubeProxy: binary('kube-proxy'),
    kubectl: binary('kubectl'),
    coredns: join(coredns, 'coredns'),
  };
}
