import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import * as z from 'zod';
import { buildImage, importImages } from '../../lab/images.ts';
import { connectNode, lacksKubernetes, lacksNodeAccess } from '../../lab/real-cluster.ts';
import { RUN_UNTIL_STOPPED, busyboxLayer } from '../../lab/sample-images.ts';
import type { Kubectl } from '../../lab/kubectl.ts';
import { kubectlWith } from '../../lab/kubectl.ts';

const NAMESPACE = 'lab';
const IMAGE = 'docker.io/lab/busybox:1';
const SOON = { timeout: 60_000, interval: 200 };

const nodesSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      status: z.object({
        conditions: z.array(z.object({ type: z.string(), status: z.string() })),
        nodeInfo: z.object({ kubeletVersion: z.string(), containerRuntimeVersion: z.string() }),
      }),
    }),
  ),
});
const reviewSchema = z.object({
  status: z.object({
    authenticated: z.boolean(),
    user: z.object({ username: z.string(), extra: z.record(z.string(), z.array(z.string())) }),
  }),
});

interface ContainerSpec {
  readonly name: string;
  readonly script: string;
}

function pod(name: string, containers: readonly ContainerSpec[], node?: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NAMESPACE, labels: { app: name } },
    spec: {
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 1,
      ...(node === undefined ? {} : { nodeName: node }),
      volumes: [{ name: 'shared', emptyDir: {} }],
      containers: containers.map((container) => ({
        name: container.name,
        image: IMAGE,
        imagePullPolicy: 'Never',
        command: ['/bin/busybox', 'sh', '-c', container.script],
        volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
      })),
    },
  };
}

describe.skipIf(lacksNodeAccess())('the shared cluster', () => {
  const { nodes, kubeconfig } = lacksKubernetes() ? { nodes: [], kubeconfig: '' } : inject('cluster');
  let home: string;
  let kubectl: Kubectl;

  /** What kubectl printed; its message when it failed. */
  async function done(args: readonly string[], input?: object): Promise<string> {
    const { code, stdout, stderr } = await kubectl(args, input);
    if (code !== 0) throw new Error(stderr);
    return stdout;
  }
  const create = (object: object): Promise<string> => done(['create', '-f', '-'], object);
  const inPod = (name: string, command: readonly string[]): Promise<string> =>
    done(['exec', '-n', NAMESPACE, name, '--', '/bin/busybox', ...command]);
  const untilPod = async (name: string, phase: string): Promise<unknown> =>
    vi.waitFor(async () => expect(await done(['get', 'pod', '-n', NAMESPACE, name, '-o', 'jsonpath={.status.phase}'])).toBe(phase), SOON);

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'image-cleaner-test-kubectl-'));
    kubectl = await kubectlWith({ kubeconfig, home });
    const image = buildImage({ refs: [IMAGE], layers: [await busyboxLayer()], config: { entrypoint: RUN_UNTIL_STOPPED } });
    await Promise.all(
      nodes.map(async (node) => {
        const containerd = connectNode(node);
        await importImages(containerd, [image]);
        containerd.cri.close();
      }),
    );
    await done(['create', 'namespace', NAMESPACE]);
    await vi.waitFor(() => done(['get', 'serviceaccount', '-n', NAMESPACE, 'default']), SOON);
  });
  afterAll(async () => {
    await done(['delete', 'namespace', NAMESPACE, '--wait']);
    for (const node of nodes) {
      const containerd = connectNode(node);
      await containerd.ctr(['images', 'rm', '--sync', IMAGE]);
      containerd.cri.close();
    }
    await rm(home, { recursive: true, force: true });
  });

  test('has three nodes that are ready', async () => {
    const { items } = nodesSchema.parse(JSON.parse(await done(['get', 'nodes', '-o', 'json'])));
    expect(items.map(({ metadata }) => metadata.name)).toEqual(['n0', 'n1', 'n2']);
    for (const { status } of items) {
      expect(status.nodeInfo).toEqual({ kubeletVersion: 'v1.35.4', containerRuntimeVersion: 'containerd://2.2.3' });
      expect(status.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
    }
  });

  test('runs a pod of three containers that share a directory to its end', async () => {
    await create(
      pod('three', [
        { name: 'first', script: 'echo one >/shared/first' },
        { name: 'second', script: 'until [ -s /shared/first ]; do /bin/busybox sleep 0.1; done; echo two >/shared/second' },
        {
          name: 'third',
          script: 'until [ -s /shared/second ]; do /bin/busybox sleep 0.1; done; /bin/busybox cat /shared/first /shared/second',
        },
      ]),
    );
    await untilPod('three', 'Succeeded');
    expect(await done(['logs', '-n', NAMESPACE, 'three', '-c', 'third'])).toBe('one\ntwo\n');
  });

  test('resolves a Service by its name and reaches its pod from other nodes and from the machine', async () => {
    const script = '/bin/busybox mkdir /www; echo hello from n1 >/www/index.html; exec /bin/busybox httpd -f -p 8080 -h /www';
    await create(pod('web', [{ name: 'web', script }], 'n1'));
    await create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: NAMESPACE },
      spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
    });
    for (const node of ['n0', 'n2']) {
      await create(pod(`client-${node}`, [{ name: 'client', script: 'exec /bin/busybox sleep 3600' }], node));
      await untilPod(`client-${node}`, 'Running');
    }
    await untilPod('web', 'Running');
    const clusterIp = await done(['get', 'service', '-n', NAMESPACE, 'web', '-o', 'jsonpath={.spec.clusterIP}']);
    const ask = `/bin/busybox printf 'GET / HTTP/1.0\\r\\n\\r\\n' | /bin/busybox nc -w 5 ${clusterIp} 80`;
    for (const client of ['client-n0', 'client-n2']) {
      await vi.waitFor(
        async () => expect(await inPod(client, ['nslookup', `web.${NAMESPACE}.svc.cluster.local`])).toContain(clusterIp),
        SOON,
      );
      await vi.waitFor(async () => expect(await inPod(client, ['sh', '-c', ask])).toContain('hello from n1'), SOON);
    }
    expect(await (await fetch(`http://${clusterIp}/`)).text()).toBe('hello from n1\n');
  });

  test('tells by the token of a pod which pod it is, and on which node', async () => {
    await create(pod('asker', [{ name: 'asker', script: 'exec /bin/busybox sleep 3600' }], 'n2'));
    await untilPod('asker', 'Running');
    const token = await inPod('asker', ['cat', '/var/run/secrets/kubernetes.io/serviceaccount/token']);
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } };
    const { status } = reviewSchema.parse(JSON.parse(await done(['create', '-f', '-', '-o', 'json'], review)));
    expect(status).toMatchObject({
      authenticated: true,
      user: {
        username: `system:serviceaccount:${NAMESPACE}:default`,
        extra: { 'authentication.kubernetes.io/pod-name': ['asker'], 'authentication.kubernetes.io/node-name': ['n2'] },
      },
    });
  });
});
