import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FakeTiming } from '../../test/fakes/fake-timing.ts';
import { ObjectHistory } from '../../test/fakes/object-history.ts';
import { KubeError, type KubeErrorCode } from './kube-error.ts';
import type { KubeObject } from './kube-object.ts';
import { LeaderElection, type Leadership, type LeadershipEnd, LeadershipLost } from './leader-election.ts';
import { readLease } from './lease.ts';

const LEASES = 'coordination.k8s.io/leases';
const KEY = 'system/leader';

/** A Lease behind a network that can be slow or broken, for each candidate apart. */
class LeaseServer {
  readonly history = new ObjectHistory();
  readonly timing: FakeTiming;
  requests = 0;

  constructor(timing: FakeTiming) {
    this.timing = timing;
  }

  get lease(): KubeObject | undefined {
    return this.history.get(LEASES, KEY);
  }

  client(network: Network): ConstructorParameters<typeof LeaderElection>[0]['client'] {
    const over = async <T>(signal: AbortSignal, carryOut: () => T): Promise<T> => {
      this.requests += 1;
      await this.timing.sleep(network.delayMs, signal);
      if (network.isDown) throw fault('unreachable');
      const result = carryOut();
      await this.timing.sleep(network.delayMs, signal);
      if (network.losesAnswers) throw fault('unreachable');
      return result;
    };
    return {
      find: (_, { signal }) => over(signal, () => this.lease ?? null),
      create: (_, object, { signal }) =>
        over(signal, () => {
          if (this.lease !== undefined) throw fault('already-exists');
          return this.history.put(LEASES, KEY, object as KubeObject);
        }),
      update: (_, object, { signal }) =>
        over(signal, () => {
          if (this.lease === undefined) throw fault('not-found');
          if (this.lease.metadata.resourceVersion !== object.metadata.resourceVersion) throw fault('conflict');
          return this.history.put(LEASES, KEY, object);
        }),
    };
  }
}

interface Network {
  delayMs: number;
  isDown: boolean;
  losesAnswers: boolean;
}

function fault(code: KubeErrorCode): KubeError {
  return new KubeError({ code, message: code });
}

interface Candidate {
  readonly network: Network;
  readonly election: LeaderElection;
  readonly stop: AbortController;
  readonly ended: Promise<LeadershipEnd>;
  leadership: Leadership | null;
  isWorking: boolean;
  readonly terms: number[];
  readonly faults: unknown[];
}

/** Works until its leadership ends, and takes `windDownMs` to stop. */
function stand(
  server: LeaseServer,
  identity: string,
  { windDownMs = 0, firstTerm }: { windDownMs?: number; firstTerm?: () => Promise<number> } = {},
): Candidate {
  const network: Network = { delayMs: 0, isDown: false, losesAnswers: false };
  const stop = new AbortController();
  const faults: unknown[] = [];
  const terms: number[] = [];
  const election = new LeaderElection({
    client: server.client(network),
    namespace: 'system',
    name: 'leader',
    identity,
    timing: server.timing,
    wallNow: () => 0,
    onFault: (error) => faults.push(error),
    ...(firstTerm === undefined ? {} : { firstTerm }),
  });
  const candidate: Candidate = {
    network,
    election,
    stop,
    faults,
    terms,
    leadership: null,
    isWorking: false,
    ended: Promise.resolve('stopped'),
  };
  const ended = election.run(stop.signal, async (leadership) => {
    candidate.leadership = leadership;
    candidate.isWorking = true;
    terms.push(leadership.term);
    await new Promise((resolve) => leadership.signal.addEventListener('abort', resolve));
    await server.timing.sleep(windDownMs, new AbortController().signal);
    candidate.isWorking = false;
  });
  return Object.assign(candidate, { ended });
}

function start(): { timing: FakeTiming; server: LeaseServer } {
  const timing = new FakeTiming();
  return { timing, server: new LeaseServer(timing) };
}

describe('leadership', () => {
  test('goes to one; the next takes over when that one releases, at once and with a greater term', async () => {
    const { timing, server } = start();
    const a = stand(server, 'a');
    await timing.advance(10);
    const b = stand(server, 'b');
    await timing.advance(60_000);
    expect([a.isWorking, b.isWorking, b.election.leader]).toEqual([true, false, 'a']);
    a.stop.abort();
    await timing.advance(10);
    expect(await a.ended).toBe('stopped');
    expect(readLease(server.lease as KubeObject).holder).toBe('');
    await timing.advance(4_000);
    expect(b.isWorking).toBe(true);
    expect((b.terms[0] ?? 0) > (a.terms[0] ?? 0)).toBe(true);
    b.stop.abort();
    await timing.advance(10);
  });

  test('work stops before the lease is released, and the lease is renewed until then', async () => {
    const { timing, server } = start();
    const a = stand(server, 'a', { windDownMs: 40_000 });
    await timing.advance(1_000);
    const b = stand(server, 'b');
    a.stop.abort();
    await timing.advance(39_000);
    expect([a.isWorking, b.isWorking]).toEqual([true, false]);
    await timing.advance(10_000);
    expect([a.isWorking, b.isWorking]).toEqual([false, true]);
    b.stop.abort();
    await timing.advance(10);
  });

  test('of a leader that dies is taken over once its lease was seen unchanged for its duration, not before', async () => {
    const { timing, server } = start();
    const a = stand(server, 'a');
    await timing.advance(1_000);
    a.network.isDown = true;
    a.network.delayMs = 1e9;
    const b = stand(server, 'b');
    await timing.advance(14_900);
    expect(b.isWorking).toBe(false);
    await timing.advance(5_000);
    expect(b.isWorking).toBe(true);
    b.stop.abort();
    await timing.advance(10);
  });

  test('is not decided by the times in the Lease: a clock that is wrong by years changes nothing', async () => {
    const { timing, server } = start();
    const spec = { holderIdentity: 'other', leaseDurationSeconds: 15, leaseTransitions: 4, renewTime: '1999-01-01T00:00:00.000000Z' };
    server.history.put(LEASES, KEY, { metadata: { namespace: 'system', name: 'leader' }, spec });
    const a = stand(server, 'a');
    await timing.advance(14_000);
    expect(a.isWorking).toBe(false);
    await timing.advance(5_000);
    expect(a.terms).toEqual([5]);
    a.stop.abort();
    await timing.advance(10);
  });

  test('under the same identity, of another process, is another’s', async () => {
    const { timing, server } = start();
    const a = stand(server, 'same');
    await timing.advance(1_000);
    const b = stand(server, 'same');
    await timing.advance(60_000);
    expect([a.isWorking, b.isWorking]).toEqual([true, false]);
    a.stop.abort();
    b.stop.abort();
    await timing.advance(10);
  });
});

describe('loss', () => {
  test('comes at the renewal deadline, before anybody else may lead; the work is told why', async () => {
    const { timing, server } = start();
    const a = stand(server, 'a');
    await timing.advance(1_000);
    a.network.isDown = true;
    await timing.advance(10_100);
    expect(await a.ended).toBe('lost');
    expect(a.leadership?.signal.reason).toBeInstanceOf(LeadershipLost);
    expect(String(a.leadership?.signal.reason)).toContain('no renewal succeeded within 10000 ms');
    expect(a.leadership?.isHeld()).toBe(false);
    expect(readLease(server.lease as KubeObject).holder).toBe('a');
  });

  test('comes at the deadline also when a renewal hangs', async () => {
    const { timing, server } = start();
    const a = stand(server, 'a');
    await timing.advance(1_000);
    a.network.delayMs = 1e9;
    await timing.advance(10_100);
    expect(a.isWorking).toBe(false);
    expect(await a.ended).toBe('lost');
  });

  test('comes at once when another holds the lease, or it was deleted', async () => {
    for (const change of ['taken', 'deleted'] as const) {
      const { timing, server } = start();
      const a = stand(server, 'a');
      await timing.advance(1_000);
      const lease = server.lease as KubeObject;
      if (change === 'deleted') server.history.delete(LEASES, KEY);
      else server.history.put(LEASES, KEY, { ...lease, spec: { holderIdentity: 'b', leaseDurationSeconds: 15, leaseTransitions: 9 } });
      await timing.advance(2_100);
      expect(await a.ended).toBe('lost');
    }
  });

  test('is seen by a process that was frozen, before its timers fire', async () => {
    const { timing, server } = start();
    const a = stand(server, 'a');
    await timing.advance(1_000);
    expect(a.leadership?.isHeld()).toBe(true);
    timing.jump(20_000);
    expect(a.leadership?.isHeld()).toBe(false);
    await timing.advance(10);
    expect(await a.ended).toBe('lost');
  });

  test('does not come from what another wrote beside, or from an answer that was lost', async () => {
    const { timing, server } = start();
    const a = stand(server, 'a');
    await timing.advance(1_000);
    const lease = server.lease as KubeObject;
    server.history.put(LEASES, KEY, { ...lease, metadata: { ...lease.metadata, annotations: { note: 'x' } } });
    await timing.advance(4_000);
    a.network.losesAnswers = true;
    await timing.advance(4_000);
    a.network.losesAnswers = false;
    await timing.advance(60_000);
    expect(a.isWorking).toBe(true);
    expect(server.lease?.metadata['annotations']).toEqual({ note: 'x' });
    a.stop.abort();
    await timing.advance(10);
    expect(await a.ended).toBe('stopped');
  });
});

test('a lease that took too long to win is given back, not led under', async () => {
  const { timing, server } = start();
  const a = stand(server, 'a');
  a.network.delayMs = 6_000;
  await timing.advance(30_000);
  expect(a.terms).toEqual([]);
  a.network.delayMs = 0;
  await timing.advance(60_000);
  expect(a.isWorking).toBe(true);
  a.stop.abort();
  await timing.advance(10);
});

test('a Lease that was deleted begins with the term that is asked for', async () => {
  const { timing, server } = start();
  const a = stand(server, 'a', { firstTerm: () => Promise.resolve(41) });
  await timing.advance(1_000);
  expect(a.terms).toEqual([41]);
  a.stop.abort();
  await timing.advance(10);
});

test('work that ends by itself gives the lease back; what it threw comes out', async () => {
  const { timing, server } = start();
  const { client } = { client: server.client({ delayMs: 0, isDown: false, losesAnswers: false }) };
  const options = { client, namespace: 'system', name: 'leader', identity: 'a', timing, wallNow: () => 0, onFault: () => undefined };
  const { signal } = new AbortController();
  const finished = new LeaderElection(options).run(signal, () => Promise.resolve());
  await timing.advance(10);
  expect(await finished).toBe('finished');
  const failed = new LeaderElection(options).run(signal, () => Promise.reject(new Error('of the work')));
  const outcome = expect(failed).rejects.toThrow('of the work');
  await timing.advance(10);
  await outcome;
  expect(readLease(server.lease as KubeObject).holder).toBe('');
});

test('stopping a candidate that waits ends it', async () => {
  const { timing, server } = start();
  const a = stand(server, 'a');
  await timing.advance(1_000);
  const b = stand(server, 'b');
  await timing.advance(1_000);
  b.stop.abort();
  await timing.advance(10);
  expect(await b.ended).toBe('stopped');
  a.stop.abort();
  await timing.advance(10);
});

test('an idle leader renews every two seconds and asks nothing else', async () => {
  const { timing, server } = start();
  const a = stand(server, 'a');
  await timing.advance(1_000);
  server.requests = 0;
  await timing.advance(60_000);
  expect(server.requests).toBe(30);
  a.stop.abort();
  await timing.advance(10);
});

test('there are never two leaders at once, and terms only grow, whatever the networks do', async () => {
  const event = fc.record({
    afterMs: fc.integer({ min: 0, max: 12_000 }),
    who: fc.integer({ min: 0, max: 2 }),
    delayMs: fc.constantFrom(0, 10, 900, 6_000, 30_000),
    isDown: fc.boolean(),
    losesAnswers: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 25 }), async (events) => {
      const { timing, server } = start();
      // What is left of a lease after the renewal deadline is the work's time to stop.
      const candidates = ['a', 'b', 'c'].map((identity) => stand(server, identity, { windDownMs: 4_000 }));
      const seen: number[] = [];
      const check = (): void => {
        expect(candidates.filter(({ isWorking }) => isWorking).length).toBeLessThanOrEqual(1);
        for (const { isWorking, terms } of candidates) {
          const term = terms[0];
          if (isWorking && term !== undefined && seen.at(-1) !== term) {
            expect(term).toBeGreaterThan(seen.at(-1) ?? -1);
            seen.push(term);
          }
        }
      };
      for (const { afterMs, who, ...network } of events) {
        for (let passed = 0; passed < afterMs; passed += 500) {
          await timing.advance(500);
          check();
        }
        Object.assign(candidates[who]?.network ?? {}, network);
      }
      for (const { stop, network } of candidates) {
        Object.assign(network, { delayMs: 0, isDown: false, losesAnswers: false });
        stop.abort();
      }
      for (let passed = 0; passed < 60_000; passed += 1_000) {
        await timing.advance(1_000);
        check();
      }
      await Promise.all(candidates.map(({ ended }) => ended));
    }),
    { numRuns: 150 },
  );
}, 120_000);
