import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import * as z from 'zod';
import { lacksKubernetes } from '../../lab/real-cluster.ts';
import { CoordinatorClient, type CoordinatorClientOptions } from '../../src/coordinator/client/coordinator-client.ts';
import { CoordinatorServer } from '../../src/coordinator/coordinator-server.ts';
import { makeAuthority, makeServerIdentity } from '../../src/coordinator/pki/make-authority.ts';
import type { CoordinatorEvent, Tokens } from '../../src/coordinator/ports.ts';
import { connectToCluster } from '../../src/kube/connect-to-cluster.ts';
import type { KubeClient } from '../../src/kube/kube-client.ts';
import { PODS } from '../../src/kube/resource.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { createLog } from '../../src/platform/log.ts';
import { bindTokens, bindWorkerPods } from '../../src/controller/bind/coordinator-ports.ts';
import { readPodFacts, type PodFacts } from '../../src/controller/image-job/pod-facts.ts';
import { WorkerPods } from '../../src/controller/image-job/worker-pods.ts';
import { SYSTEM_TIMING } from '../../src/platform/timing.ts';
import { JOB_UID_LABEL } from '../../src/core/cluster/worker-pod.ts';
import { ControllerInTest } from '../fakes/coordinator-in-test.ts';
import { kubectlWith, type Kubectl } from '../../lab/kubectl.ts';

const NAMESPACE = 'image-cleaner-coordinator-test';
const ACCOUNT = 'eraser-imagejob-pods';
const AUDIENCE = 'image-cleaner-coordinator';
const JOB = '6a0f8a4e-5d3c-4a55-9a53-0d6f3f2f7a11';
const NODE = 'coordinator-test-node';
const { signal } = new AbortController();

let home: string;
let kubectl: Kubectl;
let client: KubeClient;

beforeAll(async () => {
  if (lacksKubernetes()) return;
  home = await mkdtemp(join(tmpdir(), 'image-cleaner-coordinator-'));
  kubectl = await kubectlWith({ kubeconfig: inject('kubeconfig'), home });
  const cluster = await connectToCluster({
    kubeconfig: inject('kubeconfig'),
    environment: {},
    userAgent: 'image-cleaner/test',
    wallNow: Date.now,
  });
  client = cluster.client;
  await done(['create', 'namespace', NAMESPACE]);
  for (const name of [ACCOUNT, 'other']) await done(['create', 'serviceaccount', '-n', NAMESPACE, name]);
});

afterAll(async () => {
  if (lacksKubernetes()) return;
  await done(['delete', 'namespace', NAMESPACE, '--wait=false']);
  await client.close();
  await rm(home, { recursive: true });
});

async function done(args: readonly string[], input?: object): Promise<string> {
  const { code, stdout, stderr } = await kubectl(args, input);
  expect(`${String(code)} ${stderr}`).toMatch(/^0 (Warning: .+\s*)*$/);
  return stdout.trim();
}

const podSchema = z.object({ metadata: z.object({ uid: z.string() }) });

/** A worker pod that is bound to a node; none runs it. */
async function createPod(name: string, { account = ACCOUNT, node = NODE, labels = {} } = {}): Promise<string> {
  const container = { name: 'remover', image: 'example.invalid/remover:1' };
  const spec = { serviceAccountName: account, automountServiceAccountToken: false, nodeName: node, containers: [container] };
  const made = await done(['create', '-n', NAMESPACE, '-o', 'json', '-f', '-'], {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels },
    spec,
  });
  onTestFinished(() =>
    done(['delete', 'pod', '-n', NAMESPACE, name, '--force', '--grace-period=0', '--ignore-not-found']).then(() => undefined),
  );
  return podSchema.parse(JSON.parse(made)).metadata.uid;
}

/** As the kubelet asks for the token of a projected volume. */
async function createToken(pod: string, uid: string, { account = ACCOUNT, audience = AUDIENCE } = {}): Promise<string> {
  const bound = ['--bound-object-kind', 'Pod', '--bound-object-name', pod, '--bound-object-uid', uid];
  return await done(['create', 'token', account, '-n', NAMESPACE, '--audience', audience, '--duration', '600s', ...bound]);
}

interface Running {
  readonly controller: ControllerInTest;
  /** How many tokens the API server was to review. */
  readonly reviews: () => number;
  readonly events: CoordinatorEvent[];
  connect(token: string, options?: Partial<CoordinatorClientOptions>): Promise<CoordinatorClient>;
}

interface CoordinatorOptions {
  /** Whether tokens are told by their signatures, where they can be. */
  readonly isVerified?: boolean;
  /** Worker pods are those that a copy has, in the place of the one. */
  readonly copy?: WorkerPods;
}

function tokensOf(isVerified: boolean): { readonly tokens: Tokens; readonly reviews: () => number } {
  const faults: string[] = [];
  const log = createLog({ write: (line) => void faults.push(line), now: Date.now, fields: {}, least: () => 'info' });
  const bound = bindTokens({ client, audience: AUDIENCE, timing: SYSTEM_TIMING, wallNow: Date.now, log });
  onTestFinished(() => expect(faults).toEqual([]));
  let reviews = 0;
  const counting: Tokens['review'] = (token, until) => {
    reviews += 1;
    return bound.review(token, until);
  };
  const verify: Tokens['verify'] = (token, until) => (isVerified ? bound.verify(token, until) : Promise.resolve(null));
  return { tokens: { verify, review: counting }, reviews: () => reviews };
}

/** A coordinator with the tokens of the real API server; the pod of this uid is its only worker. */
async function startCoordinator(
  worker: { readonly name: string; readonly uid: string },
  { isVerified = true, copy }: CoordinatorOptions = {},
): Promise<Running> {
  const controller = new ControllerInTest();
  controller.workerPods.splice(0, 1, { ...worker, namespace: NAMESPACE, job: JOB, node: NODE, isFinished: false, isBeingDeleted: false });
  controller.running.add(JOB);
  controller.nodePods.set(NODE, []);
  const { tokens, reviews } = tokensOf(isVerified);
  const workerPods = copy === undefined ? controller.ports.workerPods : bindWorkerPods({ client, namespace: NAMESPACE, pods: copy });
  const authority = makeAuthority(Date.now());
  const events: CoordinatorEvent[] = [];
  const server = new CoordinatorServer({
    ports: { ...controller.ports, tokens, workerPods },
    credentials: { audience: AUDIENCE, username: `system:serviceaccount:${NAMESPACE}:${ACCOUNT}` },
    identity: makeServerIdentity(authority, ['localhost'], Date.now()),
    timing: SYSTEM_TIMING,
    wallNow: Date.now,
    onEvent: (event) => void events.push(event),
  });
  await server.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => server.close(0));
  const connect = async (token: string, options: Partial<CoordinatorClientOptions> = {}): Promise<CoordinatorClient> => {
    const folder = await mkdtemp(join(home, 'pod-'));
    const files = { tokenFile: join(folder, 'token'), caFile: join(folder, 'ca.crt') };
    await writeFile(files.tokenFile, token);
    await writeFile(files.caFile, authority.certificate);
    const common = { url: `https://localhost:${server.port}`, job: JOB, node: NODE, ...files, timing: SYSTEM_TIMING, wallNow: Date.now };
    const connected = new CoordinatorClient({ ...common, giveUpAfterMs: 0, onRetry: () => undefined, ...options });
    onTestFinished(() => connected.close());
    return connected;
  };
  return { controller, reviews, events, connect };
}

describe.skipIf(lacksKubernetes())('a coordinator with a real API server', () => {
  test.each([
    ['by its signature', true, 0],
    ['by a review', false, 1],
  ])('takes the token of its own worker pod, %s', async (_, isVerified, reviews) => {
    const uid = await createPod('worker');
    const coordinator = await startCoordinator({ name: 'worker', uid }, { isVerified });
    const worker = await coordinator.connect(await createToken('worker', uid));
    expect(await worker.readTask(signal)).toMatchObject({ protections: [{ object: { kind: 'CronJob' } }] });
    expect(await worker.listPendingPods(signal)).toEqual([]);
    expect(coordinator.events).toEqual([]);
    // The answer is remembered by who reviews.
    expect(coordinator.reviews()).toBe(2 * reviews);
  });

  test('reads the same out of a token as the API server does', async () => {
    const uid = await createPod('worker');
    const token = await createToken('worker', uid);
    const { tokens } = tokensOf(true);
    const verified = await tokens.verify(token, signal);
    const reviewed = await tokens.review(token, signal);
    if (verified === null || reviewed.outcome === 'rejected') throw new Error('the token is not valid');
    const { extra, ...rest } = verified;
    expect(reviewed).toMatchObject(rest);
    expect(reviewed.extra).toMatchObject(extra);
    expect(extra['authentication.kubernetes.io/pod-uid']).toEqual([uid]);
  });

  test.each([
    ['by signatures', true],
    ['by reviews', false],
  ])('takes no other, %s', async (_, isVerified) => {
    const uid = await createPod('worker');
    const stranger = await createPod('stranger');
    const ofOtherAccount = await createPod('of-other-account', { account: 'other' });
    const coordinator = await startCoordinator({ name: 'worker', uid }, { isVerified });
    const unbound = await done(['create', 'token', ACCOUNT, '-n', NAMESPACE, '--audience', AUDIENCE]);
    const good = await createToken('worker', uid);
    const refused: readonly (readonly [string, string])[] = [
      [await createToken('stranger', stranger), 'unknown-pod'],
      [await createToken('of-other-account', ofOtherAccount, { account: 'other' }), 'other-account'],
      [await createToken('worker', uid, { audience: 'https://kubernetes.default.svc' }), 'token-rejected'],
      [unbound, 'unbound-token'],
      [`${good.slice(0, -8)}AAAAAAAA`, 'token-rejected'],
    ];
    for (const [token, problem] of refused) {
      const worker = await coordinator.connect(token);
      await expect(worker.readTask(signal), problem).rejects.toMatchObject({ code: 'refused', problem });
    }
    expect(coordinator.events.map((event) => event.kind === 'call-refused' && event.code)).toEqual(refused.map(([, problem]) => problem));
    for (const [token] of refused) expect(JSON.stringify(coordinator.events)).not.toContain(token.slice(-20));
    await (await coordinator.connect(good)).readTask(signal);
  });

  test('knows an earlier pod of the same name by its uid, and speaks of no other node and run', async () => {
    const earlier = await createPod('worker');
    const old = await createToken('worker', earlier);
    await done(['delete', 'pod', '-n', NAMESPACE, 'worker', '--force', '--grace-period=0']);
    const uid = await createPod('worker');
    const coordinator = await startCoordinator({ name: 'worker', uid });
    await expect((await coordinator.connect(old)).readTask(signal)).rejects.toMatchObject({ problem: 'unknown-pod' });
    const token = await createToken('worker', uid);
    await expect((await coordinator.connect(token, { node: 'other' })).readTask(signal)).rejects.toMatchObject({ problem: 'other-node' });
    await expect((await coordinator.connect(token, { job: 'other' })).readTask(signal)).rejects.toMatchObject({ problem: 'other-run' });
    coordinator.controller.running.clear();
    await expect((await coordinator.connect(token)).readTask(signal)).rejects.toMatchObject({ code: 'run-ended' });
  });

  test('believes the node that the API server has put into the token', async () => {
    const uid = await createPod('elsewhere', { node: 'another-node' });
    const coordinator = await startCoordinator({ name: 'elsewhere', uid });
    const token = await createToken('elsewhere', uid);
    const version = z.object({ serverVersion: z.object({ minor: z.string() }) }).parse(JSON.parse(await done(['version', '-o', 'json'])));
    const saysNode = Number.parseInt(version.serverVersion.minor, 10) >= 30;
    const call = (await coordinator.connect(token)).readTask(signal);
    if (saysNode) await expect(call).rejects.toMatchObject({ problem: 'other-node' });
    else await call;
  });

  test('refuses a pod that is gone within seconds, by a review', async () => {
    const uid = await createPod('short');
    const coordinator = await startCoordinator({ name: 'short', uid }, { isVerified: false });
    const worker = await coordinator.connect(await createToken('short', uid));
    await worker.readTask(signal);
    await done(['delete', 'pod', '-n', NAMESPACE, 'short', '--force', '--grace-period=0']);
    expect(await client.find({ resource: PODS, namespace: NAMESPACE, name: 'short' }, { signal })).toBeNull();
    await expect
      .poll(
        () =>
          worker.readTask(signal).then(
            () => 'taken',
            (error: unknown) => (error as { problem?: string }).problem,
          ),
        { timeout: 30_000, interval: 1_000 },
      )
      .toBe('token-rejected');
  });

  test('refuses a pod that is gone as soon as the copy of the pods knows, and one that is on its way when the API server does', async () => {
    const copied: Reflector<PodFacts> = new Reflector({
      client,
      collection: { resource: PODS, namespace: NAMESPACE },
      labelSelector: JOB_UID_LABEL,
      trim: readPodFacts,
      onChange: () => undefined,
      onFault: () => undefined,
      timing: SYSTEM_TIMING,
    });
    const stop = new AbortController();
    const copying = copied.run(stop.signal);
    onTestFinished(async () => {
      stop.abort();
      await copying;
    });
    const uid = await createPod('short', { labels: { [JOB_UID_LABEL]: JOB } });
    await copied.whenSynced(signal);
    const coordinator = await startCoordinator({ name: 'short', uid }, { copy: new WorkerPods(copied.store) });
    const worker = await coordinator.connect(await createToken('short', uid));
    const outcome = (): Promise<unknown> =>
      worker.readTask(signal).then(
        () => 'taken',
        (error: unknown) => (error as { problem?: string }).problem,
      );
    expect([await outcome(), coordinator.reviews()]).toEqual(['taken', 0]);
    // No kubelet ends it: it may still work, and the API server takes its token for the time that it was given.
    await done(['delete', 'pod', '-n', NAMESPACE, 'short', '--wait=false']);
    await expect.poll(() => copied.store.values().map(({ isBeingDeleted }) => isBeingDeleted), { timeout: 10_000 }).toEqual([true]);
    expect([await outcome(), coordinator.reviews()]).toEqual(['taken', 1]);
    await done(['delete', 'pod', '-n', NAMESPACE, 'short', '--force', '--grace-period=0']);
    await expect.poll(() => copied.store.size, { timeout: 10_000 }).toBe(0);
    expect([await outcome(), coordinator.reviews()]).toEqual(['unknown-pod', 1]);
  });
});
