import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { lacksKubernetes } from '../../lab/real-cluster.ts';
import { type Cluster, connectToCluster } from '../../src/kube/connect-to-cluster.ts';
import { createTokenReview } from '../../src/kube/create-token-review.ts';
import { EventRecorder } from '../../src/kube/event-recorder.ts';
import { keyOf, type KubeObject } from '../../src/kube/kube-object.ts';
import { patchStatus } from '../../src/kube/patch-status.ts';
import { CONFIG_MAPS, EVENTS, NAMESPACES, NODES, PODS, type Resource } from '../../src/kube/resource.ts';
import { SYSTEM_TIMING } from '../../src/platform/timing.ts';
import { apiServerContract } from '../contract/api-server-contract.ts';
import { eventually } from '../fakes/eventually.ts';
import { type Kubectl, kubectlWith } from '../../lab/kubectl.ts';

const SERVICE_ACCOUNTS: Resource = { group: '', version: 'v1', plural: 'serviceaccounts', namespaced: true };
/** Of this run: without controllers, a deleted namespace goes on to be there. */
const NAMESPACE = `kube-client-${randomUUID().slice(0, 8)}`;
const { signal } = new AbortController();
const call = { signal };

describe.skipIf(lacksKubernetes())('the Kubernetes client', () => {
  let directory: string;
  let cluster: Cluster;
  let kubectl: Kubectl;

  const connect = (kubeconfig: string): Promise<Cluster> =>
    connectToCluster({ kubeconfig, environment: {}, userAgent: 'image-cleaner-test', wallNow: Date.now });

  /** Without controllers, a namespace has no service account, which pods need. */
  async function makeNamespace(name: string): Promise<void> {
    const { client } = cluster;
    await client.create({ resource: NAMESPACES }, { metadata: { name } }, call);
    const account = { resource: SERVICE_ACCOUNTS, namespace: name, name: 'default' };
    if ((await client.find(account, call)) === null) {
      await client.create(account, { metadata: { name: 'default' } }, call).catch((error: unknown) => {
        if ((error as { code?: string }).code !== 'already-exists') throw error;
      });
    }
  }

  /** A kubeconfig with a token in place of whatever the administrator shows. */
  async function kubeconfigOf(token: string): Promise<string> {
    const { stdout } = await kubectl(['config', 'view', '--raw', '--flatten', '-o', 'json']);
    const config = JSON.parse(stdout) as { users: { user: object }[] };
    const file = join(directory, `kubeconfig-${randomUUID()}`);
    await writeFile(file, JSON.stringify({ ...config, users: config.users.map((user) => ({ ...user, user: { token } })) }), {
      mode: 0o600,
    });
    return file;
  }

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'image-cleaner-kube-'));
    kubectl = await kubectlWith({ kubeconfig: inject('kubeconfig'), home: directory });
    cluster = await connect(inject('kubeconfig'));
    await makeNamespace(NAMESPACE);
  });
  afterAll(async () => {
    await cluster.client.delete({ resource: NAMESPACES, name: NAMESPACE }, {}, call);
    await cluster.client.close();
    await rm(directory, { recursive: true, force: true });
  });

  describe('keeps its contract on a real API server', () => {
    apiServerContract(async () => {
      const namespace = `${NAMESPACE}-contract`;
      await makeNamespace(namespace);
      const stranger = (await connect(await kubeconfigOf('nobodys'))).client;
      const close = async (): Promise<void> => {
        await stranger.close();
        await cluster.client.delete({ resource: NAMESPACES, name: namespace }, {}, call);
      };
      return { client: cluster.client, stranger, namespace, close };
    });
  });

  test('lists 1,200 configmaps in pages', async () => {
    const all = { resource: CONFIG_MAPS, namespace: NAMESPACE };
    const names = Array.from({ length: 1_200 }, (_, at) => `many-${String(at).padStart(4, '0')}`);
    for (let at = 0; at < names.length; at += 50) {
      await Promise.all(
        names
          .slice(at, at + 50)
          .map((name) => cluster.client.create(all, { metadata: { name, labels: { many: '' } }, data: { fill: 'x'.repeat(500) } }, call)),
      );
    }
    const { items } = await cluster.client.list(all, { trim: keyOf, labelSelector: 'many' }, call);
    expect(items).toEqual(names.map((name) => `${NAMESPACE}/${name}`));
    expect((await cluster.client.list(all, { trim: keyOf, labelSelector: 'many', pageSize: 7 }, call)).items).toEqual(items);
    await cluster.client.deleteCollection(all, { labelSelector: 'many' }, call);
  });

  test('reviews a token that is bound to a pod, and tells the pod', async () => {
    const pod = { metadata: { name: 'worker' }, spec: { containers: [{ name: 'a', image: 'example.com/a' }] } };
    const { metadata } = await cluster.client.create({ resource: PODS, namespace: NAMESPACE }, pod, call);
    const bound = ['--bound-object-kind', 'Pod', '--bound-object-name', 'worker', '--bound-object-uid', metadata.uid ?? ''];
    const made = await kubectl(['create', 'token', 'default', '-n', NAMESPACE, '--audience', 'coordinator', ...bound]);
    expect(made).toMatchObject({ code: 0 });
    const token = made.stdout.trim();
    expect(await createTokenReview(cluster.client, { token, audiences: ['coordinator', 'else'] }, call)).toMatchObject({
      outcome: 'authenticated',
      username: `system:serviceaccount:${NAMESPACE}:default`,
      audiences: ['coordinator'],
      extra: { 'authentication.kubernetes.io/pod-name': ['worker'], 'authentication.kubernetes.io/pod-uid': [metadata.uid] },
    });
    expect(await createTokenReview(cluster.client, { token, audiences: ['else'] }, call)).toMatchObject({ outcome: 'rejected' });
    await cluster.client.delete({ resource: PODS, namespace: NAMESPACE, name: 'worker' }, { gracePeriodSeconds: 0 }, call);
    await eventually(async () => (await createTokenReview(cluster.client, { token, audiences: ['coordinator'] }, call)).outcome).toBe(
      'rejected',
    );
  });

  test('says what RBAC refuses, and to whom', async () => {
    const { stdout } = await kubectl(['create', 'token', 'default', '-n', NAMESPACE]);
    const { client } = await connect(await kubeconfigOf(stdout.trim()));
    onTestFinished(() => client.close());
    await expect(client.list({ resource: NODES }, { trim: keyOf }, call)).rejects.toMatchObject({
      code: 'forbidden',
      message: expect.stringContaining(`User "system:serviceaccount:${NAMESPACE}:default" cannot list resource "nodes"`) as string,
      hint: expect.stringContaining('Grant the verb "list" on "nodes" of API group "" in the whole cluster') as string,
    });
    const pods = { resource: PODS, namespace: NAMESPACE };
    await expect(client.watch(pods, { resourceVersion: '0', timeoutSeconds: 5, inactivityMs: 5_000 }, signal).next()).rejects.toMatchObject(
      {
        code: 'forbidden',
        hint: expect.stringContaining(`Grant the verb "watch" on "pods" of API group "" in namespace ${NAMESPACE}`) as string,
      },
    );
  });

  test('writes events that kubectl describe shows as a series', async () => {
    const { metadata } = await cluster.client.create(
      { resource: CONFIG_MAPS, namespace: NAMESPACE },
      { metadata: { name: 'described' } },
      call,
    );
    const faults: unknown[] = [];
    const recorder = new EventRecorder({
      client: cluster.client,
      reportingController: 'image-cleaner.test/controller',
      reportingInstance: 'pod-1',
      timing: SYSTEM_TIMING,
      wallNow: Date.now,
      onFault: (error) => faults.push(error),
    });
    const facts = {
      regarding: { apiVersion: 'v1', kind: 'ConfigMap', namespace: NAMESPACE, name: 'described', uid: metadata.uid ?? '' },
      type: 'Warning',
      reason: 'BadExclusionList',
      action: 'Read',
      note: 'the list is no JSON',
    } as const;
    for (let i = 0; i < 3; i++) recorder.record(facts);
    await recorder.close(signal);
    expect(faults).toEqual([]);
    const events = await cluster.client.list({ resource: EVENTS, namespace: NAMESPACE }, { trim: (event) => event['series'] }, call);
    expect(events.items).toMatchObject([{ count: 3 }]);
    const { stdout } = await kubectl(['describe', 'configmap', 'described', '-n', NAMESPACE]);
    expect(stdout).toMatch(/Warning +BadExclusionList +\S+ \(x3 over \S+\) +image-cleaner\.test\/controller +the list is no JSON/);
  });

  test('patches a status against others who write into the same object', async () => {
    const reference = { resource: PODS, namespace: NAMESPACE, name: 'contended' };
    const pod = { metadata: { name: 'contended' }, spec: { containers: [{ name: 'a', image: 'example.com/a' }] } };
    const observed = await cluster.client.create({ resource: PODS, namespace: NAMESPACE }, pod, call);
    await cluster.client.patch(reference, { strategy: 'merge', patch: { metadata: { labels: { a: '1' } } } }, call);
    const statusOf = (object: KubeObject): Record<string, unknown> => ({
      ...(object['status'] as object),
      reason: 'Cleaned',
      message: null,
    });
    const first = await patchStatus(cluster.client, reference, { observed, statusOf }, call);
    expect(first).toMatchObject({
      outcome: 'patched',
      object: { metadata: { labels: { a: '1' } }, status: { phase: 'Pending', reason: 'Cleaned' } },
    });
    if (first.outcome === 'gone') throw new Error('gone');
    expect((await patchStatus(cluster.client, reference, { observed: first.object, statusOf }, call)).outcome).toBe('unchanged');
    await cluster.client.delete(reference, { gracePeriodSeconds: 0 }, call);
    expect(await patchStatus(cluster.client, reference, { observed, statusOf }, call)).toEqual({ outcome: 'gone' });
  });

  test('shows the token of a kubeconfig and nothing else that a user had', async () => {
    const { stdout } = await kubectl(['create', 'token', 'default', '-n', NAMESPACE]);
    const file = await kubeconfigOf(stdout.trim());
    expect(await readFile(file, 'utf8')).not.toContain('client-certificate');
    const { client } = await connect(file);
    onTestFinished(() => client.close());
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
    const resource = { group: 'authentication.k8s.io', version: 'v1', plural: 'selfsubjectreviews', namespaced: false };
    expect(await client.review({ resource }, review, call)).toMatchObject({
      status: { userInfo: { username: `system:serviceaccount:${NAMESPACE}:default` } },
    });
  });
});
