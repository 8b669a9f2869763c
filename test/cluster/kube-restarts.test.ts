import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { compactEtcd } from '../../lab/compact-etcd.ts';
import { type ControlPlane, startControlPlane } from '../../lab/control-plane.ts';
import { lacksNodeAccess } from '../../lab/real-cluster.ts';
import type { KubeClient } from '../../src/kube/kube-client.ts';
import { keyOf, type KubeObject } from '../../src/kube/kube-object.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { CONFIG_MAPS, NAMESPACES } from '../../src/kube/resource.ts';
import { SYSTEM_TIMING } from '../../src/platform/timing.ts';
import { eventually } from '../fakes/eventually.ts';
import { connectClient, connectGated } from './connect-gated.ts';
import { MINUTE_S, observeIdleMinute, type IdleMinute } from './observe-idle-minute.ts';
import type { TcpGate } from './tcp-gate.ts';

const NAMESPACE = 'restarts';
const MAPS = { resource: CONFIG_MAPS, namespace: NAMESPACE };
/** A machine that is busy takes its time to start an API server. */
const call = { signal: new AbortController().signal, retryBudgetMs: 90_000 };
const valueOf = (object: KubeObject): string => (object['data'] as { value: string } | undefined)?.value ?? '';

describe.skipIf(lacksNodeAccess())('while the API server is away or forgets', () => {
  let controlPlane: ControlPlane;
  let client: KubeClient;
  let gate: TcpGate;
  let gated: KubeClient;
  let idleMinute: Promise<IdleMinute>;

  beforeAll(async () => {
    controlPlane = await startControlPlane();
    client = await connectClient(controlPlane.kubeconfig);
    ({ gated, gate } = await connectGated(controlPlane));
    idleMinute = observeIdleMinute();
    // Told by its test.
    idleMinute.catch(() => undefined);
    await client.create({ resource: NAMESPACES }, { metadata: { name: NAMESPACE } }, call);
  });
  afterAll(async () => {
    await idleMinute.catch(() => undefined);
    await gated.close();
    gate.close();
    await client.close();
    await controlPlane.stop();
  });

  interface Running {
    readonly reflector: Reflector<string>;
    readonly changes: string[];
    readonly faults: unknown[];
  }

  async function reflect(label: string, of = client): Promise<Running> {
    const changes: string[] = [];
    const faults: unknown[] = [];
    const reflector = new Reflector({
      client: of,
      collection: MAPS,
      labelSelector: `for=${label}`,
      trim: valueOf,
      onChange: (key) => changes.push(key),
      onFault: (error) => faults.push(error),
      timing: SYSTEM_TIMING,
      pageSize: 5,
    });
    const stop = new AbortController();
    const run = reflector.run(stop.signal);
    onTestFinished(async () => {
      stop.abort();
      await run;
    });
    await reflector.whenSynced(AbortSignal.timeout(30_000));
    return { reflector, changes, faults };
  }

  async function put(label: string, name: string, value: string): Promise<void> {
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels: { for: label } }, data: { value } };
    await client.patch({ ...MAPS, name }, { strategy: 'apply', object, fieldManager: 'test', force: true }, call);
  }

  async function listed(label: string): Promise<Record<string, string>> {
    const trim = (object: KubeObject): [string, string] => [keyOf(object), valueOf(object)];
    return Object.fromEntries((await client.list(MAPS, { trim, labelSelector: `for=${label}` }, call)).items);
  }

  const copied = ({ reflector }: Running): Record<string, string> =>
    Object.fromEntries(reflector.store.keys().map((key) => [key, reflector.store.get(key) ?? '']));

  test('a copy survives kills of the API server, and misses nothing', async () => {
    const running = await reflect('kills');
    let random = 7;
    const next = (below: number): number => (random = (random * 48_271) % 2_147_483_647) % below;
    for (let round = 0; round < 3; round++) {
      const changing = (async () => {
        for (let i = 0; i < 40; i++) {
          const name = `kills-${next(15)}`;
          if (next(3) === 0) await client.delete({ ...MAPS, name }, {}, call);
          else await put('kills', name, `${round}-${i}`);
        }
      })();
      await sleep(150);
      await Promise.all([changing, controlPlane.restartApiserver()]);
    }
    await put('kills', 'kills-last', 'last');
    await eventually(() => running.reflector.store.get(`${NAMESPACE}/kills-last`)).toBe('last');
    expect(copied(running)).toEqual(await listed('kills'));
    expect(running.faults.length).toBeGreaterThan(0);
  });

  test('a copy whose history was compacted meanwhile is listed again, and equals what there is', async () => {
    for (let i = 0; i < 12; i++) await put('compaction', `compaction-${i}`, 'old');
    const running = await reflect('compaction', gated);
    await eventually(() => running.reflector.store.size).toBe(12);
    gate.shut();
    await client.delete({ ...MAPS, name: 'compaction-3' }, {}, call);
    await put('compaction', 'compaction-4', 'new');
    await put('compaction', 'compaction-new', 'new');
    await compactEtcd(controlPlane);
    // What its watch cache still holds is forgotten, too.
    await controlPlane.restartApiserver();
    running.changes.length = 0;
    gate.open();
    const expected = await listed('compaction');
    await eventually(() => copied(running)).toEqual(expected);
    expect(running.faults.map((error) => (error as { code?: string }).code)).toContain('gone');
    expect([...running.changes].sort()).toEqual(['compaction-3', 'compaction-4', 'compaction-new'].map((name) => `${NAMESPACE}/${name}`));
  });

  test('a list whose continue token expires starts again', async () => {
    for (let i = 0; i < 12; i++) await put('pages', `pages-${String(i).padStart(2, '0')}`, 'x');
    const asked: string[] = [];
    const forgetting: Promise<void>[] = [];
    const forget = async (): Promise<void> => {
      await client.delete({ ...MAPS, name: 'pages-01' }, {}, call);
      await compactEtcd(controlPlane);
      await controlPlane.restartApiserver();
      gate.open();
    };
    const trim = (object: KubeObject): string => {
      asked.push(object.metadata.name);
      if (asked.length === 5) {
        gate.shut();
        forgetting.push(forget());
      }
      return object.metadata.name;
    };
    const { items } = await gated.list(MAPS, { trim, labelSelector: 'for=pages', pageSize: 5 }, call);
    await Promise.all(forgetting);
    expect(items).toHaveLength(11);
    expect(items).not.toContain('pages-01');
    expect(asked).toHaveLength(5 + 11);
  });

  test('there is one leader at a time, also when leaders are killed, frozen or cut short', async () => {
    const lines: { readonly who: string; readonly term: number; readonly at: bigint }[] = [];
    const ends = new Map<string, string>();
    const children = new Map<string, ChildProcess>();
    const begin = (who: string): void => {
      const script = join(import.meta.dirname, 'lead-until-killed.ts');
      const child = spawn(process.execPath, [script, controlPlane.kubeconfig, NAMESPACE, who], { stdio: ['ignore', 'pipe', 'ignore'] });
      children.set(who, child);
      let rest = '';
      child.stdout.on('data', (chunk: Buffer) => {
        const parts = (rest + chunk.toString()).split('\n');
        rest = parts.pop() ?? '';
        for (const part of parts) {
          const [term, at] = part.split(' ');
          if (at === undefined) ends.set(who, part);
          else lines.push({ who, term: Number(term), at: BigInt(at) });
        }
      });
    };
    onTestFinished(() => {
      for (const child of children.values()) child.kill('SIGKILL');
    });
    const leader = (): string => lines.at(-1)?.who ?? '';
    const untilAnother = async (than: string): Promise<void> => {
      await eventually(() => leader() !== than && leader() !== '').toBe(true);
      await sleep(500);
    };
    for (const who of ['a', 'b', 'c']) begin(who);
    await untilAnother('');
    const killed = leader();
    children.get(killed)?.kill('SIGKILL');
    begin('d');
    await untilAnother(killed);
    const frozen = leader();
    children.get(frozen)?.kill('SIGSTOP');
    await untilAnother(frozen);
    children.get(frozen)?.kill('SIGCONT');
    await eventually(() => ends.get(frozen)).toBe('lost');
    const stopped = leader();
    children.get(stopped)?.kill('SIGTERM');
    const at = process.hrtime.bigint();
    await untilAnother(stopped);
    expect(ends.get(stopped)).toBe('stopped');
    // Released, not expired.
    expect(Number((lines.find((line) => line.who === leader())?.at ?? 0n) - at) / 1e6).toBeLessThan(3_000);
    await controlPlane.restartApiserver();
    await sleep(4_000);
    for (const [who, child] of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
      expect(['stopped', 'lost']).toContain(ends.get(who));
    }
    const terms = new Map<number, { who: Set<string>; first: bigint; last: bigint }>();
    for (const { who, term, at: when } of lines) {
      const seen = terms.get(term) ?? { who: new Set(), first: when, last: when };
      seen.who.add(who);
      seen.first = when < seen.first ? when : seen.first;
      seen.last = when > seen.last ? when : seen.last;
      terms.set(term, seen);
    }
    const inOrder = [...terms].sort(([a], [b]) => a - b).map(([, seen]) => seen);
    expect(inOrder.length).toBeGreaterThanOrEqual(4);
    for (const { who } of inOrder) expect(who.size).toBe(1);
    for (const [index, seen] of inOrder.entries()) expect(seen.first > (inOrder[index - 1]?.last ?? 0n)).toBe(true);
  });

  test('an idle minute costs nothing but bookmarks that come, and a leader’s renewals', async () => {
    const { bytesOfCopies, secondsSinceLastEvent, leader, bytes } = await idleMinute;
    expect(bytesOfCopies).toBe(0);
    for (const seconds of secondsSinceLastEvent) expect(seconds).toBeLessThan(MINUTE_S);
    // The handshake, then a renewal every two seconds.
    expect(bytes).toBeLessThan(20_000);
    expect(leader).toEqual({ end: 'stopped', faults: [] });
  });
});
