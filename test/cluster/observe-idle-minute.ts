import { setTimeout as sleep } from 'node:timers/promises';
import { waitUntil } from '../../lab/wait-until.ts';
import { startControlPlane, type ControlPlane } from '../../lab/control-plane.ts';
import type { KubeClient } from '../../src/kube/kube-client.ts';
import { keyOf } from '../../src/kube/kube-object.ts';
import { LeaderElection, type LeadershipEnd } from '../../src/kube/leader-election.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { CONFIG_MAPS } from '../../src/kube/resource.ts';
import { SYSTEM_TIMING } from '../../src/platform/timing.ts';
import { connectClient, connectGated } from './connect-gated.ts';
import type { TcpGate } from './tcp-gate.ts';

export interface IdleMinute {
  /** Sent to the API server by copies of which nothing changes, in 70 seconds or more. */
  readonly bytesOfCopies: number;
  /** Of each copy, after them. */
  readonly secondsSinceLastEvent: readonly number[];
  readonly leader: { readonly end: LeadershipEnd; readonly faults: readonly unknown[] };
  /** Sent from the beginning to the end of ten seconds of leading, by all. */
  readonly bytes: number;
}

/** Within which each copy is to have heard something, with some seconds for a busy machine. */
export const MINUTE_S = 65;
const NAMESPACE = 'default';
const COPIES = ['a', 'b', 'c'];

/** On an API server of its own, since it mostly waits: other tests can go on beside it. */
export async function observeIdleMinute(): Promise<IdleMinute> {
  const controlPlane = await startControlPlane();
  try {
    return await observe(controlPlane);
  } finally {
    await controlPlane.stop();
  }
}

async function observe(controlPlane: ControlPlane): Promise<IdleMinute> {
  const client = await connectClient(controlPlane.kubeconfig);
  const { gated, gate } = await connectGated(controlPlane);
  const stop = new AbortController();
  const copies = COPIES.map((label) => copyOf(gated, label));
  const running = copies.map((copy) => copy.run(stop.signal));
  try {
    await Promise.all(copies.map((copy) => copy.whenSynced(AbortSignal.timeout(30_000))));
    // An API server that has just been started sends no bookmarks before its watches have told of something.
    const object = { metadata: { name: 'idle', labels: { for: COPIES[0] } }, data: {} };
    await client.create({ resource: CONFIG_MAPS, namespace: NAMESPACE }, object, { signal: stop.signal });
    await waitUntil('the event is told', () => Promise.resolve(copies[0]?.store.size === 1));
    await sleep(1_000);
    const before = gate.sentBytes();
    await sleep(70_000);
    // Kubernetes promises no bookmark each minute: a copy that hears nothing is opened again after two and a half.
    for (let waits = 0; waits < 70 && copies.some((copy) => copy.secondsSinceLastEvent >= MINUTE_S); waits += 1) await sleep(1_000);
    const bytesOfCopies = gate.sentBytes() - before;
    const secondsSinceLastEvent = copies.map((copy) => copy.secondsSinceLastEvent);
    const leader = await leadForTenSeconds(gated);
    return { bytesOfCopies, secondsSinceLastEvent, leader, bytes: gate.sentBytes() - before };
  } finally {
    stop.abort();
    await Promise.all(running);
    await close(client, gated, gate);
  }
}

function copyOf(client: KubeClient, label: string): Reflector<string> {
  const collection = { resource: CONFIG_MAPS, namespace: NAMESPACE };
  const ignore = (): void => undefined;
  return new Reflector({
    client,
    collection,
    labelSelector: `for=${label}`,
    trim: keyOf,
    onChange: ignore,
    onFault: ignore,
    timing: SYSTEM_TIMING,
    pageSize: 5,
  });
}

async function leadForTenSeconds(client: KubeClient): Promise<IdleMinute['leader']> {
  const stop = new AbortController();
  const faults: unknown[] = [];
  const election = new LeaderElection({
    client,
    namespace: NAMESPACE,
    name: 'idle',
    identity: 'me',
    timing: SYSTEM_TIMING,
    wallNow: Date.now,
    onFault: (error) => faults.push(error),
  });
  const ended = election.run(stop.signal, ({ signal }) => SYSTEM_TIMING.sleep(60_000, signal));
  await sleep(10_000);
  stop.abort();
  return { end: await ended, faults };
}

async function close(client: KubeClient, gated: KubeClient, gate: TcpGate): Promise<void> {
  await gated.close();
  gate.close();
  await client.close();
}
