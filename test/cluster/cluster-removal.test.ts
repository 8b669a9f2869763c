import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import * as z from 'zod';
import type { Cluster } from '../../lab/cluster.ts';
import { startCluster } from '../../lab/cluster.ts';
import { PAUSE_REFERENCE } from '../../lab/containerd-config.ts';
import { sweepAbandonedPlaces } from '../../lab/owned-places.ts';
import type { Place } from '../../lab/place.ts';
import { isAlive, listPids } from '../../lab/processes.ts';
import { lacksNodeAccess } from '../../lab/real-cluster.ts';
import { listRemains } from '../../lab/sweep-place.ts';

const SOON = { timeout: 90_000, interval: 200 };

/** All of the machine's that the kubelet would set. */
const SYSCTLS = ['vm/overcommit_memory', 'vm/panic_on_oom', 'kernel/panic', 'kernel/panic_on_oops', 'kernel/keys/root_maxkeys'];
const readSysctls = (): string[] => SYSCTLS.map((name) => readFileSync(`/proc/sys/${name}`, 'utf8').trim());

const KINDS = ['mnt', 'net', 'pid'] as const;

function namespaceOf(pid: number, kind: (typeof KINDS)[number]): string | null {
  try {
    return readlinkSync(`/proc/${String(pid)}/ns/${kind}`);
  } catch {
    return null;
  }
}

/**
 * The namespaces of all processes that run below the place's control groups or were started with its files: those of its nodes. They are held open
 * until the test has ended, since the kernel gives the number of one that is gone to the next that anybody makes.
 */
function nodeNamespaces(place: Place): ReadonlySet<string> {
  const own = new Set(KINDS.map((kind) => namespaceOf(process.pid, kind)));
  const held = new Map<string, number>();
  for (const pid of listPids()) {
    for (const kind of isOf(place, pid) ? KINDS : []) {
      const namespace = namespaceOf(pid, kind);
      if (namespace === null || own.has(namespace) || held.has(namespace)) continue;
      const file = open(`/proc/${String(pid)}/ns/${kind}`);
      if (file !== null) held.set(namespace, file);
    }
  }
  onTestFinished(() => [...held.values()].forEach((file) => closeSync(file)));
  return new Set(held.keys());
}

/** null: the process has ended. */
function open(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch {
    return null;
  }
}

function isOf(place: Place, pid: number): boolean {
  try {
    return ['cmdline', 'cgroup'].some((file) => readFileSync(`/proc/${String(pid)}/${file}`, 'utf8').includes(place.name));
  } catch {
    return false;
  }
}

function processesIn(namespaces: ReadonlySet<string>): number[] {
  return listPids().filter((pid) => isAlive(pid) && KINDS.some((kind) => namespaces.has(namespaceOf(pid, kind) ?? '')));
}

async function readiness(cluster: Cluster, node: string): Promise<string> {
  return await cluster.kubectl(['get', 'node', node, '-o', 'jsonpath={.status.conditions[?(@.type=="Ready")].status}']);
}

describe.skipIf(lacksNodeAccess())('a cluster of its own', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster({ nodes: 2 });
  });
  afterAll(() => cluster.stop());

  test('a node whose kubelet was killed becomes unready, and ready again with the kubelet', async () => {
    const [, node] = cluster.nodes;
    await node?.killKubelet();
    await vi.waitFor(async () => expect(await readiness(cluster, 'n1')).toBe('Unknown'), SOON);
    expect(await readiness(cluster, 'n0')).toBe('True');
    await node?.startKubelet();
    await vi.waitFor(async () => expect(await readiness(cluster, 'n1')).toBe('True'), SOON);
  });

  test('a node that was killed has its images again after its start', async () => {
    const [node] = cluster.nodes;
    await node?.kill();
    await expect(node?.containerd.cri.images.listImages({})).rejects.toThrow();
    await node?.start();
    const { images } = await (node as NonNullable<typeof node>).containerd.cri.images.listImages({});
    expect(images.map(({ repoTags }) => repoTags)).toEqual([[PAUSE_REFERENCE]]);
    await vi.waitFor(() => cluster.kubectl(['get', '--raw', '/api/v1/nodes/n0/proxy/pods']), SOON);
  });

  test('leaves no process, mount, namespace, link or file when it is stopped, and the machine as it was', async () => {
    const pod = { image: PAUSE_REFERENCE, pullPolicy: '--image-pull-policy=Never' };
    await cluster.kubectl(['run', 'running', '--image', pod.image, pod.pullPolicy]);
    await cluster.kubectl(['wait', '--for=condition=Ready', 'pod/running', '--timeout=60s']);
    const namespaces = nodeNamespaces(cluster.place);
    // A mount, a network and a pid namespace for each of two nodes, and the pod's own.
    expect(namespaces.size).toBeGreaterThanOrEqual(8);
    expect(processesIn(namespaces).length).toBeGreaterThan(8);
    expect(listRemains(cluster.place).length).toBeGreaterThan(8);
    await cluster.stop();
    expect(processesIn(namespaces)).toEqual([]);
    expect(listRemains(cluster.place)).toEqual([]);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(cluster.place.name);
    expect(readdirSync('/run').concat(readdirSync('/var/tmp'))).not.toContain(cluster.place.name);
    await cluster.stop(); // once more does no harm
  });
});

describe.skipIf(lacksNodeAccess())('a cluster whose owner ends', () => {
  const placeSchema = z.object({ name: z.string(), root: z.string(), state: z.string(), socket: z.string() });

  /** Another process that runs a cluster; gives its place. */
  async function startOwner(): Promise<{
    readonly owner: ReturnType<typeof spawn>;
    readonly exited: Promise<unknown>;
    readonly place: Place;
  }> {
    const script = `
      import { startCluster } from '${join(import.meta.dirname, '../../lab/cluster.ts')}';
      const cluster = await startCluster({ nodes: 1 });
      process.stdout.write(JSON.stringify(cluster.place));
      setInterval(() => undefined, 1000);
    `;
    const owner = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(owner, 'exit');
    const [place] = (await once(owner.stdout, 'data')) as [Buffer];
    return { owner, exited, place: placeSchema.parse(JSON.parse(place.toString())) };
  }

  test.each(['SIGTERM', 'SIGINT'] as const)('by %s is gone with it', async (signal) => {
    const { owner, exited, place } = await startOwner();
    expect(listRemains(place)).not.toEqual([]);
    owner.kill(signal);
    expect(await exited).toEqual([null, signal]);
    expect(listRemains(place)).toEqual([]);
  });

  test('by SIGKILL ends, and the next start removes what it left', async () => {
    const before = readSysctls();
    const { owner, exited, place } = await startOwner();
    const namespaces = nodeNamespaces(place);
    expect(namespaces.size).toBeGreaterThan(0);
    owner.kill('SIGKILL');
    await exited;
    await vi.waitFor(() => expect(processesIn(namespaces)).toEqual([]), SOON);
    expect(existsSync(place.root)).toBe(true);
    sweepAbandonedPlaces();
    expect(listRemains(place)).toEqual([]);
    expect(readSysctls()).toEqual(before);
  });
});
