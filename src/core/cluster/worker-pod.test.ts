import type { V1Pod } from '@kubernetes/client-node';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { configOf, eraserConfig, OWN_CONTAINERS } from '../../../test/fakes/cluster.ts';
import { V1ALPHA3 } from '../../../test/fakes/eraser-configs.ts';
import type { ParticipatingNode } from '../../api/cluster-node.ts';
import type { EraserConfig } from '../../api/eraser-config.ts';
import type { WorkerContainer, WorkerPod, WorkerVolume } from '../../api/worker-pod.ts';
import { parseArguments } from '../../worker/parse-arguments.ts';
import { resolveComponents } from './resolve-components.ts';
import { makeWorkerPod, workerKindOf, type WorkerFrame, type WorkerPodInput } from './worker-pod.ts';

const NODE: ParticipatingNode = { name: 'aks-1', runtime: 'containerd', isUnderDiskPressure: false };
const PRESSED: ParticipatingNode = { ...NODE, isUnderDiskPressure: true };
const FRAME: WorkerFrame = {
  namespace: 'kube-system',
  priorityClassName: 'image-cleaner-worker',
  seLinuxType: null,
  pullSecrets: [],
  configMaps: { config: 'job-config', exclusions: ['job-exclusions-0', 'job-exclusions-1'], imageList: ['job-list-0'] },
  coordinator: { url: 'https://coordinator.kube-system.svc:8443', audience: 'image-cleaner', caConfigMap: 'image-cleaner-ca' },
  scannerTemporaryBytes: 4 * 1024 ** 3,
  runMs: 7_200_000,
  deadlineMs: 7_500_000,
};
const TRIVY = eraserConfig({}, { collector: { enabled: true }, scanner: { enabled: true } });
const OFF = eraserConfig({}, { collector: { enabled: true } });
const CUSTOM = eraserConfig(
  { profile: { enabled: true, port: 6061 } },
  {
    collector: { enabled: true },
    scanner: {
      enabled: true,
      image: { repo: 'ghcr.io/acme/scanner', tag: 'v2' },
      config: 'theirs: true',
      volumes: [{ name: 'certs', hostPath: { path: '/etc/certs', type: 'Directory' } }],
    },
  },
);

interface Asked extends Partial<Pick<WorkerPodInput, 'run' | 'node'>> {
  readonly config?: EraserConfig;
  readonly frame?: Partial<WorkerFrame>;
}

function podOf({ config = TRIVY, run = 'automatic', node = NODE, frame = {} }: Asked = {}): WorkerPod {
  const resolved = resolveComponents(config, OWN_CONTAINERS);
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.errors));
  const job = { name: 'imagejob-x', uid: 'job-uid' };
  const { components } = resolved;
  return makeWorkerPod({
    name: 'eraser-aks-1-0123456789',
    job,
    run,
    node,
    manager: config.manager,
    components,
    frame: { ...FRAME, ...frame },
  });
}

function containerOf(pod: WorkerPod, name: string): WorkerContainer {
  const found = pod.spec.containers.find((container) => container.name === name);
  if (found === undefined) throw new Error(`no container ${name}`);
  return found;
}

const containerNames = (pod: WorkerPod): string[] => pod.spec.containers.map(({ name }) => name);
const volumeOf = (pod: WorkerPod, name: string): WorkerVolume | undefined => pod.spec.volumes.find((volume) => volume.name === name);
const mountsOf = (container: WorkerContainer): Record<string, string> =>
  Object.fromEntries(container.volumeMounts.map(({ name, mountPath }) => [name, mountPath]));
const environmentOf = (container: WorkerContainer): Record<string, unknown> =>
  Object.fromEntries(
    container.env.map((variable) => [variable.name, 'value' in variable ? variable.value : variable.valueFrom.fieldRef.fieldPath]),
  );

describe('the containers', () => {
  test.each<[string, Asked, string[]]>([
    ['automatic', {}, ['collector', 'remover', 'trivy-scanner']],
    ['automatic, without a scanner', { config: OFF }, ['collector', 'remover']],
    ["automatic, with the user's scanner", { config: CUSTOM }, ['collector', 'remover', 'trivy-scanner']],
    ['automatic, under disk pressure', { node: PRESSED }, ['remover']],
    ['manual', { run: 'manual' }, ['remover']],
    ['manual, under disk pressure', { run: 'manual', node: PRESSED }, ['remover']],
  ])('%s', (_case, asked, expected) => {
    expect(containerNames(podOf(asked))).toEqual(expected);
  });

  test.each([
    ['automatic', NODE, 'automatic'],
    ['automatic', PRESSED, 'remover-only'],
    ['manual', NODE, 'manual'],
    ['manual', PRESSED, 'manual'],
  ] as const)('%s on %j: the remover is told that it is %s', (run, node, kind) => {
    expect(workerKindOf(run, node)).toBe(kind);
    expect(containerOf(podOf({ run, node }), 'remover').args).toContain(`--run=${kind}`);
  });

  test.each([
    [TRIVY, 'trivy'],
    [OFF, 'off'],
    [CUSTOM, 'custom'],
  ] as const)('collector and remover are told which scanner there is', (config, scanner) => {
    for (const name of ['collector', 'remover']) expect(containerOf(podOf({ config }), name).args).toContain(`--scanner=${scanner}`);
  });

  test('ours understand their arguments, and miss no part of what is frozen', () => {
    const config = eraserConfig({ logLevel: 'warn' }, { collector: { enabled: true }, scanner: { enabled: true } });
    const argumentsOf = (run: 'automatic' | 'manual', name: string): object =>
      parseArguments([name, ...containerOf(podOf({ run, config }), name).args]);
    const common = { config: '/config/controller_manager_config.yaml', 'log-level': 'warn', coordinator: 'required' };
    expect(argumentsOf('automatic', 'collector')).toMatchObject({ ...common, scanner: 'trivy', exclusions: 2 });
    expect(argumentsOf('automatic', 'remover')).toMatchObject({ ...common, run: 'automatic', scanner: 'trivy', exclusions: 2 });
    expect(argumentsOf('automatic', 'trivy-scanner')).toMatchObject({
      ...common,
      program: 'trivy-scanner',
      'scan-time': 5_400_000,
      'image-time': 3_600_000,
    });
    expect(argumentsOf('manual', 'remover')).toMatchObject({ ...common, run: 'manual', exclusions: 2, 'image-list': 1 });
  });

  test('a scanner may take no longer than the configuration says, or the run', () => {
    const timesIn = (timeout: object): object => {
      const config = eraserConfig({}, { scanner: { enabled: true, config: JSON.stringify({ timeout }) } });
      const { 'scan-time': total, 'image-time': perImage } = parseArguments([
        'trivy-scanner',
        ...containerOf(podOf({ config }), 'trivy-scanner').args,
      ]);
      return { total, perImage };
    };
    expect(timesIn({ total: '1h', perImage: '1500ms' })).toEqual({ total: 3_600_000, perImage: 1_500 });
    expect(timesIn({ total: '23h', perImage: '2h' })).toEqual({ total: 5_400_000, perImage: 7_200_000 });
  });

  test('ours run as root without its powers, and can write only where they must', () => {
    for (const container of podOf().spec.containers) {
      expect(container.securityContext).toEqual({
        runAsUser: 0,
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
        seccompProfile: { type: 'RuntimeDefault' },
      });
      const writable = container.volumeMounts.filter(({ readOnly }) => readOnly !== true).map(({ mountPath }) => mountPath);
      expect(writable.sort()).toEqual(['/run/eraser.sh/shared-data', '/tmp']);
      expect(environmentOf(container)).toMatchObject({ TMPDIR: '/tmp' });
    }
  });

  test('each of ours has a size-limited folder for temporary files', () => {
    const pod = podOf();
    expect(volumeOf(pod, 'temporary-trivy-scanner')).toEqual({ name: 'temporary-trivy-scanner', emptyDir: { sizeLimit: '4294967296' } });
    expect(volumeOf(pod, 'temporary-remover')).toEqual({ name: 'temporary-remover', emptyDir: { sizeLimit: '67108864' } });
    expect(mountsOf(containerOf(pod, 'collector'))).toMatchObject({ 'temporary-collector': '/tmp' });
  });

  test('ours reach the runtime by the folder of its socket', () => {
    const pod = podOf();
    expect(volumeOf(pod, 'runtime-sock-folder')).toEqual({
      name: 'runtime-sock-folder',
      hostPath: { path: '/run/containerd', type: 'Directory' },
    });
    expect(volumeOf(pod, 'runtime-sock-volume')).toBeUndefined();
    for (const container of pod.spec.containers) {
      expect(mountsOf(container)).toMatchObject({ 'runtime-sock-folder': '/run/image-cleaner/runtime' });
      expect(environmentOf(container)).toMatchObject({ CONTAINER_RUNTIME_ENDPOINT: 'unix:///run/image-cleaner/runtime/containerd.sock' });
    }
  });

  test.each([
    ['containerd', '/run/k3s/containerd', 'containerd.sock'],
    ['crio', '/run/crio', 'crio.sock'],
    ['dockershim', '/run', 'cri-dockerd.sock'],
  ] as const)('the socket of a node with %s, where another is configured for containerd', (runtime, folder, name) => {
    const manager = { runtime: { name: 'containerd', address: 'unix:///run/k3s/containerd/containerd.sock' } };
    const config = eraserConfig(manager, { collector: { enabled: true }, scanner: { enabled: true } });
    const pod = podOf({ config, node: { ...NODE, runtime } });
    expect(volumeOf(pod, 'runtime-sock-folder')).toMatchObject({ hostPath: { path: folder } });
    expect(environmentOf(containerOf(pod, 'remover'))).toMatchObject({
      CONTAINER_RUNTIME_ENDPOINT: `unix:///run/image-cleaner/runtime/${name}`,
      ERASER_RUNTIME_NAME: runtime,
    });
  });

  test('ours have the token and the certificate of the coordinator', () => {
    for (const pod of [podOf(), podOf({ run: 'manual' }), podOf({ node: PRESSED })]) {
      expect(volumeOf(pod, 'coordinator-token')).toEqual({
        name: 'coordinator-token',
        projected: { sources: [{ serviceAccountToken: { audience: 'image-cleaner', expirationSeconds: 600, path: 'token' } }] },
      });
      expect(volumeOf(pod, 'coordinator-ca')).toEqual({ name: 'coordinator-ca', configMap: { name: 'image-cleaner-ca' } });
      for (const container of pod.spec.containers) {
        expect(mountsOf(container)).toMatchObject({
          'coordinator-token': '/run/image-cleaner/token',
          'coordinator-ca': '/run/image-cleaner/ca',
        });
        expect(environmentOf(container)).toMatchObject({
          COORDINATOR_URL: 'https://coordinator.kube-system.svc:8443',
          COORDINATOR_TOKEN_FILE: '/run/image-cleaner/token/token',
          COORDINATOR_CA_FOLDER: '/run/image-cleaner/ca',
        });
      }
    }
  });

  test("the user's scanner is as Eraser makes it, and has neither token nor certificate", () => {
    expect(containerOf(podOf({ config: CUSTOM }), 'trivy-scanner')).toEqual({
      name: 'trivy-scanner',
      image: 'ghcr.io/acme/scanner:v2',
      args: ['--config=/config/controller_manager_config.yaml', '--enable-pprof=true', '--pprof-port=6061'],
      env: [
        { name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
        { name: 'ERASER_RUNTIME_NAME', value: 'containerd' },
        { name: 'CONTAINERD_NAMESPACE', value: 'k8s.io' },
        { name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: '' },
        { name: 'OTEL_SERVICE_NAME', value: 'trivy-scanner' },
      ],
      resources: { requests: { cpu: '0', memory: '524288000' }, limits: { memory: '2147483648' } },
      volumeMounts: [
        { name: 'shared-data', mountPath: '/run/eraser.sh/shared-data' },
        { name: 'eraser-config', mountPath: '/config', readOnly: true },
        { name: 'runtime-sock-volume', mountPath: '/run/cri/cri.sock' },
        { name: 'certs', mountPath: '/etc/certs', readOnly: true },
      ],
    });
  });

  test("the user's scanner has the socket itself, ours beside it have the folder", () => {
    const pod = podOf({ config: CUSTOM });
    expect(volumeOf(pod, 'runtime-sock-volume')).toEqual({
      name: 'runtime-sock-volume',
      hostPath: { path: '/run/containerd/containerd.sock', type: 'Socket' },
    });
    expect(volumeOf(pod, 'certs')).toEqual({ name: 'certs', hostPath: { path: '/etc/certs', type: 'Directory' } });
    expect(mountsOf(containerOf(pod, 'remover'))).not.toHaveProperty('runtime-sock-volume');
    expect(mountsOf(containerOf(pod, 'remover'))).not.toHaveProperty('certs');
  });

  test.each<[string, Asked, string, string[]]>([
    ['the exclusions for the collector', {}, 'collector', ['exclusions-0', 'exclusions-1', 'shared-data']],
    ['the exclusions for the remover', {}, 'remover', ['exclusions-0', 'exclusions-1', 'shared-data']],
    ['none of it for the scanner', {}, 'trivy-scanner', ['shared-data']],
    ['the list, in a manual run', { run: 'manual' }, 'remover', ['exclusions-0', 'exclusions-1', 'image-list-0']],
    ['no list and no hand-over, under disk pressure', { node: PRESSED }, 'remover', ['exclusions-0', 'exclusions-1']],
  ])('what they are given: %s', (_case, asked, name, expected) => {
    const given = Object.keys(mountsOf(containerOf(podOf(asked), name))).filter((volume) => /^(exclusions|image-list|shared)/.test(volume));
    expect(given.sort()).toEqual(expected);
  });

  test('what they are given is what the run has frozen', () => {
    const pod = podOf({ run: 'manual' });
    expect(volumeOf(pod, 'eraser-config')).toEqual({ name: 'eraser-config', configMap: { name: 'job-config' } });
    expect(volumeOf(pod, 'exclusions-1')).toEqual({ name: 'exclusions-1', configMap: { name: 'job-exclusions-1' } });
    expect(volumeOf(pod, 'image-list-0')).toEqual({ name: 'image-list-0', configMap: { name: 'job-list-0' } });
    expect(mountsOf(containerOf(pod, 'remover'))).toMatchObject({
      'exclusions-1': '/run/image-cleaner/exclusions/1',
      'image-list-0': '/run/eraser.sh/imagelist/0',
    });
  });

  test('resources as configured; nothing is asked for where nothing is said', () => {
    const fields = { request: { cpu: '1500m', mem: '100Mi' }, limit: { cpu: 1, mem: '1Gi' } };
    const pod = podOf({ config: eraserConfig({}, { collector: { enabled: true, ...fields } }) });
    expect(containerOf(pod, 'collector').resources).toEqual({
      requests: { cpu: '1000m', memory: '104857600' },
      limits: { cpu: '1000m', memory: '1073741824' },
    });
    expect(containerOf(podOf(), 'collector').resources).toEqual({
      requests: { cpu: '7m', memory: '26214400' },
      limits: { memory: '524288000' },
    });
    expect(containerOf(podOf(), 'trivy-scanner').resources.requests).toEqual({ cpu: '0', memory: '524288000' });
  });
});

describe('the pod', () => {
  test('is owned by its job, and goes with it', () => {
    expect(podOf().metadata).toMatchObject({
      name: 'eraser-aks-1-0123456789',
      namespace: 'kube-system',
      ownerReferences: [{ apiVersion: 'eraser.sh/v1', kind: 'ImageJob', name: 'imagejob-x', uid: 'job-uid', controller: true }],
    });
  });

  test.each<[Asked, string]>([
    [{}, 'collector'],
    [{ node: PRESSED }, 'collector'],
    [{ run: 'manual' }, 'manual'],
  ])('%j has the label eraser.sh/type=%s', (asked, type) => {
    expect(podOf(asked).metadata.labels).toEqual({ 'eraser.sh/type': type, 'eraser.sh/job-uid': 'job-uid' });
  });

  test("the configuration's labels are added, and take the place of none of ours", () => {
    const config = eraserConfig({ additionalPodLabels: { team: 'a', 'eraser.sh/type': 'x', 'eraser.sh/job-uid': 'y' } });
    expect(podOf({ config }).metadata.labels).toEqual({ team: 'a', 'eraser.sh/type': 'collector', 'eraser.sh/job-uid': 'job-uid' });
  });

  test('is placed on its node by the scheduler, whatever taints that has', () => {
    const { spec } = podOf();
    expect(spec).not.toHaveProperty('nodeName');
    expect(spec.tolerations).toEqual([{ operator: 'Exists' }]);
    expect(spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms).toEqual([
      { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['aks-1'] }] },
    ]);
  });

  test.each<[string, Asked, string | undefined]>([
    ['ours', {}, 'image-cleaner-worker'],
    ["the configuration's", { config: eraserConfig({ priorityClassName: 'theirs' }) }, 'theirs'],
    ['none, where ours is not there', { frame: { priorityClassName: null } }, undefined],
    ['what the kubelet admits under disk pressure', { node: PRESSED }, 'system-node-critical'],
    ['the same in a manual run', { run: 'manual', node: PRESSED }, 'system-node-critical'],
    [
      "the same, whatever the configuration's",
      { config: eraserConfig({ priorityClassName: 'theirs' }), node: PRESSED },
      'system-node-critical',
    ],
  ])('its priority class: %s', (_case, asked, expected) => {
    expect(podOf(asked).spec.priorityClassName).toBe(expected);
  });

  test('its SELinux type: that which is given, else none of its own', () => {
    expect(podOf({ frame: { seLinuxType: 'spc_t' } }).spec.securityContext).toEqual({ seLinuxOptions: { type: 'spc_t' } });
    expect(podOf().spec).not.toHaveProperty('securityContext');
  });

  test('has no rights at the API server, ends by itself, and is not started again', () => {
    expect(podOf().spec).toMatchObject({
      serviceAccountName: 'eraser-imagejob-pods',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      restartPolicy: 'Never',
      activeDeadlineSeconds: 7500,
    });
  });

  test('pulls with the secrets of the configuration and of the manager, each once', () => {
    const config = eraserConfig({ pullSecrets: ['a', 'b'] });
    expect(podOf({ config, frame: { pullSecrets: ['b', 'c'] } }).spec.imagePullSecrets).toEqual([
      { name: 'a' },
      { name: 'b' },
      { name: 'c' },
    ]);
  });

  test("is a Pod by Kubernetes' own types", () => {
    const pod: Mutable<WorkerPod> = podOf({ config: CUSTOM }) as Mutable<WorkerPod>;
    const typed: V1Pod = pod;
    expect(typed.kind).toBe('Pod');
  });
});

/** The client's types know of no read-only lists. */
type Mutable<Value> = Value extends readonly (infer Item)[]
  ? Mutable<Item>[]
  : Value extends object
    ? { -readonly [Key in keyof Value]: Mutable<Value[Key]> }
    : Value;

test('every pod is whole, and no container that is not ours has the token, the certificate or a word of the coordinator', () => {
  const image = fc.constantFrom(undefined, 'ghcr.io/eraser-dev/eraser-trivy-scanner', 'ghcr.io/acme/scanner');
  const asked = fc.record({
    repo: image,
    enabled: fc.boolean(),
    run: fc.constantFrom('automatic' as const, 'manual' as const),
    isUnderDiskPressure: fc.boolean(),
    runtime: fc.constantFrom('containerd' as const, 'crio' as const, 'dockershim' as const),
    exclusions: fc.array(fc.constant('x'), { maxLength: 3 }),
  });
  fc.assert(
    fc.property(asked, ({ repo, enabled, run, exclusions, ...node }) => {
      const written = { ...V1ALPHA3, components: { ...V1ALPHA3.components, scanner: { enabled, image: { repo } } } };
      const configMaps = { ...FRAME.configMaps, exclusions };
      const pod = podOf({ config: configOf(written), run, node: { name: 'n', ...node }, frame: { configMaps } });
      const volumes = pod.spec.volumes.map(({ name }) => name);
      const mounts = pod.spec.containers.flatMap(({ volumeMounts }) => volumeMounts.map(({ name }) => name));
      expect(new Set(volumes).size).toBe(volumes.length);
      expect([...new Set(mounts)].sort()).toEqual([...volumes].sort());
      for (const container of pod.spec.containers) {
        const paths = container.volumeMounts.map(({ mountPath }) => mountPath);
        expect(new Set(paths).size).toBe(paths.length);
        expect(container.image).not.toContain('eraser-dev');
        if (container.image.startsWith('registry.example/')) expect(container.securityContext?.readOnlyRootFilesystem).toBe(true);
        else expect(JSON.stringify(container)).not.toMatch(/coordinator|token|runtime-sock-folder/i);
      }
    }),
  );
});
