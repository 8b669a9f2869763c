import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import * as z from 'zod';
import { startContainerd } from '../../lab/containerd.ts';
import type { ContainerdHandle } from '../../lab/containerd-handle.ts';
import { writeImageArchive } from '../../lab/image-archive.ts';
import { buildImage, importImages, listImageIds, listImages } from '../../lab/images.ts';
import { connectNode, lacksNodeAccess } from '../../lab/real-cluster.ts';
import { alpineFiles } from '../../lab/sample-packages.ts';
import { declareTrivyDatabase, writeTrivyDatabase } from '../../lab/trivy-database.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { assembleImages, compressedBytes, type ImageOptions, type Images } from '../../scripts/images/assemble-images.ts';
import type { Kubectl } from '../../lab/kubectl.ts';
import { kubectlWith } from '../../lab/kubectl.ts';

const NAMESPACE = 'images';
const REPOSITORY = 'docker.io/lab';
const SOON = { timeout: 60_000, interval: 200 };
/** The first time, layers are compressed and Trivy may have to be built. */
const FIRST_TIME_MS = 1_200_000;
const MOST_BYTES = 60_000_000;

const options: ImageOptions = {
  root: fileURLToPath(new URL('../..', import.meta.url)),
  repository: REPOSITORY,
  tag: 'test',
  revision: null,
  compression: 'zstd',
  created: new Date(0),
  onProgress: () => undefined,
};

const finishedSchema = z.object({
  status: z.object({
    phase: z.enum(['Succeeded', 'Failed']),
    containerStatuses: z.tuple([
      z.object({
        state: z.object({ terminated: z.object({ exitCode: z.number(), reason: z.string(), message: z.string().default('') }) }),
      }),
    ]),
  }),
});

interface PodOptions {
  readonly image: string;
  /** In place of the image's entry point. */
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  /** Folders of the node, by the path in the container. */
  readonly mounts?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Without it, as the image says. */
  readonly root?: boolean;
  readonly memory?: string;
}

/** A container as worker pods have it: nothing can be written but /tmp, and no power of root's is left. */
function pod(name: string, { image, command, args, mounts = {}, env = {}, root = false, memory = '256Mi' }: PodOptions): object {
  const volumes = Object.entries(mounts).map(([mountPath, path], at) => ({ name: `mount-${String(at)}`, mountPath, path }));
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NAMESPACE },
    spec: {
      nodeName: 'n0',
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      volumes: [
        { name: 'temporary', emptyDir: { sizeLimit: '256Mi' } },
        ...volumes.map((volume) => ({ name: volume.name, hostPath: { path: volume.path, type: 'Directory' } })),
      ],
      containers: [
        {
          name: 'main',
          image,
          imagePullPolicy: 'Never',
          ...(command === undefined ? {} : { command }),
          ...(args === undefined ? {} : { args }),
          env: Object.entries(env).map(([key, value]) => ({ name: key, value })),
          resources: { limits: { memory } },
          securityContext: {
            ...(root ? { runAsUser: 0 } : { runAsNonRoot: true }),
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
            seccompProfile: { type: 'RuntimeDefault' },
          },
          volumeMounts: [
            { name: 'temporary', mountPath: '/tmp' },
            ...volumes.map((volume) => ({ name: volume.name, mountPath: volume.mountPath, readOnly: volume.mountPath !== '/cache' })),
          ],
        },
      ],
    },
  };
}

describe.skipIf(lacksNodeAccess())('the container images', () => {
  let home: string;
  let kubectl: Kubectl;
  let node: ContainerdHandle;
  let images: Images;
  const sample = buildImage({
    refs: [`${REPOSITORY}/sample:1`],
    layers: [{ files: alpineFiles('3.22.0', [{ name: 'openssl', version: '3.0.0-r0' }]) }],
  });
  const archiveOf = (name: keyof Images): string => join(home, `${name}.tar`);
  const refOf = (name: keyof Images): string => `${REPOSITORY}/${name}:test`;

  async function done(args: readonly string[], input?: object): Promise<string> {
    const { code, stdout, stderr } = await kubectl(args, input);
    if (code !== 0) throw new Error(stderr);
    return stdout;
  }

  let pods = 0;
  /** Runs a pod to its end; `output` is both of its outputs. */
  async function runPod(spec: PodOptions): Promise<{ code: number; reason: string; message: string; output: string }> {
    const name = `pod-${String((pods += 1))}`;
    await done(['create', '-f', '-'], pod(name, spec));
    const { status } = await vi.waitFor(
      async () => finishedSchema.parse(JSON.parse(await done(['get', 'pod', '-n', NAMESPACE, name, '-o', 'json']))),
      SOON,
    );
    const { exitCode, reason, message } = status.containerStatuses[0].state.terminated;
    return { code: exitCode, reason, message, output: reason === 'StartError' ? '' : await done(['logs', '-n', NAMESPACE, name]) };
  }
  const RUNTIME = {
    mounts: { '/run/runtime': '/run/containerd' },
    env: { CONTAINER_RUNTIME_ENDPOINT: 'unix:///run/runtime/containerd.sock' },
  };

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'image-cleaner-test-images-'));
    images = await assembleImages(options);
    const { nodes, kubeconfig } = inject('cluster');
    const [facts] = nodes;
    if (facts === undefined) throw new Error('a cluster without nodes');
    kubectl = await kubectlWith({ kubeconfig, home });
    node = connectNode(facts);
    for (const name of ['image-cleaner', 'image-cleaner-scanner'] as const) {
      await writeImageArchive(archiveOf(name), [images[name]]);
      await node.ctr(['images', 'import', archiveOf(name)]);
    }
    await importImages(node, [sample]);
    await done(['create', 'namespace', NAMESPACE]);
    await vi.waitFor(() => done(['get', 'serviceaccount', '-n', NAMESPACE, 'default']), SOON);
  }, FIRST_TIME_MS);
  afterAll(async () => {
    await done(['delete', 'namespace', NAMESPACE, '--wait']);
    await node.ctr(['images', 'rm', '--sync', refOf('image-cleaner'), refOf('image-cleaner-scanner'), ...sample.refs]);
    node.cri.close();
    await rm(home, { recursive: true });
  });

  test('controller and worker are small enough', () => {
    expect(compressedBytes(images['image-cleaner'])).toBeLessThan(MOST_BYTES);
  });

  test('are the same again when they are made again', async () => {
    const again = await assembleImages(options);
    for (const name of ['image-cleaner', 'image-cleaner-scanner'] as const)
      expect(again[name].manifestDigest).toBe(images[name].manifestDigest);
  });

  test('share all layers but Trivy, and an update changes the last one alone', () => {
    const [own, scanner] = [images['image-cleaner'], images['image-cleaner-scanner']].map(({ layers }) => layers);
    const createdBy = scanner?.map((layer) => layer.createdBy?.split(/[ :]/)[0]);
    expect(createdBy).toEqual(['Debian', 'Node', 'Trivy', 'Image']);
    expect(scanner?.filter((layer) => layer.createdBy?.startsWith('Trivy') !== true).map(({ digest }) => digest)).toEqual(
      own?.map(({ digest }) => digest),
    );
    expect(own?.at(-1)?.createdBy).toBe(`Image Cleaner ${packageJson.version}`);
  });

  test("an older containerd, Debian's, takes both", async () => {
    await using containerd = await startContainerd({ version: 'debian' });
    for (const name of ['image-cleaner', 'image-cleaner-scanner'] as const) await containerd.ctr(['images', 'import', archiveOf(name)]);
    await vi.waitFor(
      async () => expect(await listImageIds(containerd)).toEqual([images['image-cleaner'].id, images['image-cleaner-scanner'].id].sort()),
      SOON,
    );
  });

  test('runs as nobody, and says its version', async () => {
    expect(await runPod({ image: refOf('image-cleaner'), args: ['--version'] })).toMatchObject({
      code: 0,
      output: `${packageJson.version}\n`,
    });
  });

  test("lists the images of the node through the runtime's socket", async () => {
    const { code, output } = await runPod({ image: refOf('image-cleaner'), args: ['list', '-o', 'json'], ...RUNTIME, root: true });
    expect(code, output).toBe(0);
    const listed = (JSON.parse(output) as { images: { imageId: string }[] }).images.map(({ imageId }) => imageId);
    expect(listed.sort()).toEqual((await listImages(node)).map(({ id }) => id));
    expect(listed).toContain(images['image-cleaner'].id);
  });

  test('doctor finds nothing that is lacking for a run without scans', async () => {
    const args = ['doctor', '--scanner', 'none', '--no-history'];
    const { code, output } = await runPod({ image: refOf('image-cleaner'), args, ...RUNTIME, root: true });
    expect(code, output).toBe(0);
    expect(output).not.toMatch(/^\s*(error|failed)/im);
  });

  test('doctor finds Trivy and its database in the image with Trivy', async () => {
    const cache = await writeDatabase();
    const args = ['doctor', '--no-history', '--trivy-cache-dir', '/cache', '--skip-db-update'];
    const mounts = { ...RUNTIME.mounts, '/cache': cache };
    const { code, output } = await runPod({ image: refOf('image-cleaner-scanner'), args, ...RUNTIME, mounts, root: true, memory: '2Gi' });
    expect(code, output).toBe(0);
    expect(output).toMatch(/Trivy 0\.74\.0/i);
  });

  test('has no shell, and of other programs only its own', async () => {
    for (const command of ['/bin/sh', 'env']) {
      const { reason, message } = await runPod({ image: refOf('image-cleaner-scanner'), command: [command] });
      expect(reason).toBe('StartError');
      expect(message).toMatch(/no such file or directory|executable file not found/);
    }
    const script = `console.log(JSON.stringify(require('node:fs').readdirSync('/usr/bin')))`;
    const { output } = await runPod({ image: refOf('image-cleaner-scanner'), command: ['/usr/bin/node', '-e', script] });
    expect(JSON.parse(output)).toEqual(expect.arrayContaining(['image-cleaner', 'node', 'trivy', 'worker']));
    const programs = (JSON.parse(output) as string[]).filter((name) => !['image-cleaner', 'worker', 'controller'].includes(name));
    expect(programs.sort()).toEqual(['node', 'trivy']);
  });

  test('has each command that was built, and the helper of the worker', async () => {
    const worker = await runPod({ image: refOf('image-cleaner'), command: ['worker'], args: ['no-such-container'] });
    expect(worker.reason, worker.output).toBe('Error');
    expect(worker.output).toContain('no-such-container');
    const helper = '/usr/lib/image-cleaner/mkfifo';
    expect(await runPod({ image: refOf('image-cleaner'), command: [helper, '/tmp/pipe'] })).toMatchObject({ code: 0, output: '' });
    // The root is read-only.
    expect(await runPod({ image: refOf('image-cleaner'), command: [helper, '/pipe'], root: true })).toMatchObject({
      code: 1,
      output: 'read-only file system\n',
    });
  });

  test('scans an image of the node, and its own, whose Debian packages a scanner knows', async () => {
    const mounts = { ...RUNTIME.mounts, '/cache': await writeDatabase() };
    const args = ['scan', ...sample.refs, refOf('image-cleaner'), '--trivy-cache-dir', '/cache', '--skip-db-update', '--no-history'];
    const { code, output } = await runPod({ image: refOf('image-cleaner-scanner'), args, ...RUNTIME, mounts, root: true, memory: '2Gi' });
    expect(code, output).toBe(0);
    expect(output).toMatch(/CVE-2026-10001 +CRITICAL +openssl +3\.0\.0-r0 +3\.0\.1-r0/);
    expect(output).toMatch(/CVE-2026-20002 +HIGH +libc6 /);
  });

  /** Trivy's cache directory with vulnerabilities of the sample and of glibc. */
  async function writeDatabase(): Promise<string> {
    const cache = join(home, 'trivy');
    await mkdir(cache, { recursive: true });
    const vulnerabilities = declareTrivyDatabase([
      {
        ecosystem: 'alpine',
        release: '3.22',
        packageName: 'openssl',
        id: 'CVE-2026-10001',
        fixedVersion: '3.0.1-r0',
        severity: 'CRITICAL',
      },
      { ecosystem: 'debian', release: '12', packageName: 'glibc', id: 'CVE-2026-20002', fixedVersion: null, severity: 'HIGH' },
    ]);
    await writeTrivyDatabase(cache, vulnerabilities);
    return cache;
  }
});
