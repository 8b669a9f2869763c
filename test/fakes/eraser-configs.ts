import { stringify } from 'yaml';

/** Configurations with the values that Eraser's releases come with, one for each version, to be changed by tests. */

const scheduling = { repeatInterval: '24h', beginImmediately: true };
const profile = { enabled: false, port: 6060 };
const imageJob = { successRatio: 1, cleanup: { delayOnSuccess: '0s', delayOnFailure: '24h' } };
const nodeFilter = { type: 'exclude', selectors: ['eraser.sh/cleanup.filter', 'kubernetes.io/os=windows'] };

const manager = { otlpEndpoint: '', logLevel: 'info', scheduling, profile, imageJob, pullSecrets: [], priorityClassName: '', nodeFilter };
const collector = { enabled: true, request: { mem: '25Mi', cpu: '7m' }, limit: { mem: '500Mi', cpu: 0 } };
const scanner = { enabled: true, request: { mem: '500Mi', cpu: '1000m' }, limit: { mem: '2Gi', cpu: 0 } };
const remover = { request: { mem: '25Mi', cpu: 0 }, limit: { mem: '30Mi' } };

function image(name: string, tag: string): object {
  return { repo: `ghcr.io/eraser-dev/${name}`, tag };
}

const vulnerabilities = { ignoreUnfixed: true, types: ['os', 'library'], securityChecks: ['vuln'] };
const timeout = { total: '23h', perImage: '1h' };
const trivy = { cacheDir: '/var/lib/trivy', dbRepo: 'ghcr.io/aquasecurity/trivy-db', deleteFailedImages: true };
const FOUR = ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'];

/** Release 1.0. */
export const V1ALPHA1 = {
  apiVersion: 'eraser.sh/v1alpha1',
  kind: 'EraserConfig',
  health: {},
  metrics: {},
  webhook: {},
  leaderElection: {},
  manager: { ...manager, runtime: 'containerd' },
  components: {
    collector: { ...collector, image: image('collector', 'v1.0.0') },
    scanner: {
      ...scanner,
      image: image('eraser-trivy-scanner', 'v1.0.0'),
      config: stringify({ ...trivy, vulnerabilities: { ...vulnerabilities, severities: ['CRITICAL'] }, timeout }),
    },
    eraser: { ...remover, limit: { mem: '30Mi', cpu: '1000m' }, image: image('eraser', 'v1.0.0') },
  },
};

/** Releases 1.1 and 1.2. */
export const V1ALPHA2 = {
  apiVersion: 'eraser.sh/v1alpha2',
  kind: 'EraserConfig',
  manager: { ...manager, runtime: 'containerd' },
  components: {
    collector: { ...collector, image: image('collector', 'v1.2.0') },
    scanner: {
      ...scanner,
      image: image('eraser-trivy-scanner', 'v1.2.0'),
      config: stringify({ ...trivy, deleteEOLImages: true, vulnerabilities: { ...vulnerabilities, severities: FOUR }, timeout }),
    },
    remover: { ...remover, image: image('remover', 'v1.2.0') },
  },
};

/** Releases from 1.3 on. */
export const V1ALPHA3 = {
  apiVersion: 'eraser.sh/v1alpha3',
  kind: 'EraserConfig',
  manager: {
    ...manager,
    runtime: { name: 'containerd', address: 'unix:///run/containerd/containerd.sock' },
    additionalPodLabels: {},
  },
  components: {
    collector: { ...collector, image: image('collector', 'v1.4.1') },
    scanner: {
      ...scanner,
      image: image('eraser-trivy-scanner', 'v1.4.1'),
      config: stringify({
        ...trivy,
        deleteEOLImages: true,
        vulnerabilities: { ...vulnerabilities, ignoreUnfixed: false, severities: FOUR, ignoredStatuses: null },
        timeout,
      }),
      volumes: [],
    },
    remover: { ...remover, image: image('remover', 'v1.4.1') },
  },
};

/** As Eraser's chart writes it when its user sets nothing: mappings whose lines are all commented out. */
export const CHART = {
  apiVersion: 'eraser.sh/v1alpha3',
  kind: 'EraserConfig',
  health: {},
  metrics: {},
  webhook: {},
  leaderElection: {},
  manager: {
    runtime: { name: 'containerd', address: 'unix:///run/containerd/containerd.sock' },
    otlpEndpoint: '',
    logLevel: 'info',
    scheduling: {},
    profile: null,
    imageJob: { successRatio: 1, cleanup: {} },
    pullSecrets: [],
    priorityClassName: '',
    additionalPodLabels: {},
    nodeFilter,
  },
  components: {
    collector: { enabled: true, image: { tag: 'v1.4.1' }, request: {}, limit: {} },
    scanner: { enabled: true, image: { tag: 'v1.4.1' }, request: {}, limit: {}, config: '' },
    remover: { image: { tag: 'v1.4.1' }, request: {}, limit: {} },
  },
};

/** `kubectl get configmap eraser-manager-config -o yaml`. */
export function configMapOf(config: object): string {
  return stringify({
    apiVersion: 'v1',
    data: { 'controller_manager_config.yaml': stringify(config) },
    kind: 'ConfigMap',
    metadata: { name: 'eraser-manager-config', namespace: 'kube-system', resourceVersion: '1234' },
  });
}
