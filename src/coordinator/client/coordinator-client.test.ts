import { rm, writeFile } from 'node:fs/promises';
import { createServer as createHttps, type Server } from 'node:https';
import { connect, createServer as createTcp, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  podOf,
  reviewOf,
  RUN,
  SETTINGS,
  startCoordinator,
  TOKEN,
  type CoordinatorInTest,
} from '../../../test/fakes/coordinator-in-test.ts';
import { eventually } from '../../../test/fakes/eventually.ts';
import { analysisOf, NOTHING_ASKED } from '../../../test/fakes/fake-reader.ts';
import { FakeTiming } from '../../../test/fakes/fake-timing.ts';
import { imageId } from '../../../test/fakes/images.ts';
import { CALL_LIMITS } from '../../api/coordinator/coordinator-api.ts';
import type { NodeImage } from '../../api/inventory.ts';
import type { Finding, ScanReport } from '../../api/scan-report.ts';
import { SYSTEM_TIMING } from '../../platform/timing.ts';
import type { Coordinator, NodeResult } from '../../worker/ports.ts';
import { issueServerCertificate } from '../pki/issue-certificate.ts';
import { makeAuthority, makeServerIdentity } from '../pki/make-authority.ts';
import { CoordinatorClient } from './coordinator-client.ts';

const { signal } = new AbortController();

const IMAGE: NodeImage = { id: 'sha256:aa', repoTags: ['docker.io/library/nginx:1'], repoDigests: [], sizeBytes: 10, pinned: false };
const INVENTORY = { runtime: { name: 'containerd', version: '2.2.3' }, images: [IMAGE], containers: [], sandboxImageReferences: null };
const FILESYSTEM = { mountpoint: '/var/lib/containerd', usedBytes: 5, availableBytes: 5, capacityBytes: 10 };

const RESULT: NodeResult = {
  startedAt: 1,
  endedAt: 2,
  mode: 'automatic',
  state: 'completed',
  message: null,
  runtime: INVENTORY.runtime,
  scanner: { name: 'trivy', version: '0.74.0', databaseUpdatedAt: null, databaseMark: null },
  summary: null,
  filesystem: { before: FILESYSTEM, after: FILESYSTEM },
  decisions: [
    {
      imageId: IMAGE.id,
      repoTags: IMAGE.repoTags,
      repoDigests: [],
      sizeBytes: 10,
      estimatedBytes: 10,
      ruling: { outcome: 'remove', reason: { code: 'unused' } },
      removal: {
        state: 'kept',
        at: 2,
        message: null,
        keptBy: { code: 'in-use', users: [{ kind: 'pending-pod', pod: 'shop/web' }] },
        reclaimedBytes: 0,
      },
    },
  ],
};

describe('a worker', () => {
  test('asks and tells all that its port wants', async () => {
    const coordinator = await startCoordinator();
    const { controller } = coordinator;
    // By shape it is what workers want of a coordinator.
    const client: Coordinator = coordinator.client();
    expect(await client.readTask(signal)).toMatchObject({ protections: SETTINGS.protections, scanPolicy: null });
    expect(await client.reportInventory({ inventory: INVENTORY, inUse: new Set([IMAGE.id]), filesystem: FILESYSTEM }, signal)).toEqual(
      new Map(),
    );
    expect(controller.reports).toEqual([{ inventory: INVENTORY, inUse: [IMAGE.id], filesystem: FILESYSTEM }]);
    const exchange = { ...NOTHING_ASKED, wanted: [imageId(2), imageId(3)], mayTake: 1, analyses: [analysisOf(imageId(1))] };
    controller.known.set(imageId(2), scanned(imageId(2), 2));
    expect(await client.exchangeScans(exchange, signal)).toEqual({
      results: [1, 2].map((at) => ({ imageId: imageId(at), result: { kind: 'scanned', report: controller.known.get(imageId(at)) } })),
      leased: [imageId(3)],
      elsewhere: [],
      rest: [],
    });
    expect(controller.told).toEqual([{ node: RUN.node, analyses: exchange.analyses }]);
    expect(await client.listPendingPods(signal)).toEqual(controller.nodePods.get(RUN.node));
    await client.reportResult(RESULT, signal);
    await client.reportResult(RESULT, signal);
    expect(controller.results).toMatchObject([{ run: RUN, results: { ...RESULT, omittedFindings: 0 } }]);
    expect(coordinator.retries).toEqual([]);
  });

  test('sends its log', async () => {
    const coordinator = await startCoordinator();
    const answer = await coordinator.client().sendLog({ container: 'remover', sequence: 0, lines: ['one', 'zwei\u0000'] }, signal);
    expect(answer).toEqual({ nextSequence: 1, isFull: false });
    expect(coordinator.controller.logs).toEqual([{ container: 'remover', sequence: 0, lines: ['one', 'zwei\u0000'] }]);
  });

  test('a node whose clock is a day ahead has images of the same age', async () => {
    const coordinator = await startCoordinator();
    const DAY = 86_400_000;
    const now = Date.now();
    coordinator.controller.histories.set('sha256:aa', { firstSeenAt: now - 2 * DAY, lastInUseAt: now - DAY });
    coordinator.controller.histories.set('sha256:bb', { firstSeenAt: now - 2 * DAY, lastInUseAt: null });
    const wallNow = (): number => Date.now() + DAY;
    const histories = await coordinator
      .client({ wallNow })
      .reportInventory({ inventory: INVENTORY, inUse: new Set(), filesystem: null }, signal);
    const age = wallNow() - (histories.get('sha256:aa')?.firstSeenAt ?? 0);
    expect(Math.abs(age - 2 * DAY)).toBeLessThan(60_000);
    expect(Math.abs(wallNow() - (histories.get('sha256:aa')?.lastInUseAt ?? 0) - DAY)).toBeLessThan(60_000);
    expect(histories.get('sha256:bb')?.lastInUseAt).toBeNull();
  });

  test('gets more results than one answer holds, by and by', async () => {
    const coordinator = await startCoordinator();
    const client = coordinator.client();
    const ids = Array.from({ length: 5 }, (_, at) => imageId(at));
    for (const id of ids) coordinator.controller.known.set(id, scanned(id, 25_000));
    const reports = new Map<string, ScanReport>();
    const numbers: number[] = [];
    for (let wanted = ids; wanted.length > 0;) {
      const { results, rest } = await client.exchangeScans({ ...NOTHING_ASKED, wanted }, signal);
      for (const { imageId: id, result } of results) if (result.kind === 'scanned') reports.set(id, result.report);
      numbers.push(results.length);
      wanted = rest;
    }
    expect([...reports.keys()]).toEqual(ids);
    expect(reports.get(imageId(4))).toEqual(scanned(imageId(4), 25_000));
    expect(numbers.length).toBeGreaterThan(1);
  });

  test('tells again what it has read when the answer was lost, and gets the same', async () => {
    const coordinator = await startCoordinator();
    const proxy = await startProxy(coordinator.server.port);
    const client = coordinator.client({ url: proxy.url });
    proxy.holdAnswers = () => coordinator.retries.length === 0 && coordinator.controller.told.length > 0;
    const exchanging = client.exchangeScans({ ...NOTHING_ASKED, analyses: [analysisOf(imageId(1))] }, signal);
    await eventually(() => coordinator.controller.told).toHaveLength(1);
    proxy.cut();
    const { results } = await exchanging;
    expect(coordinator.retries).toEqual(['unreachable']);
    expect(results.map(({ imageId: id, result }) => [id, result.kind])).toEqual([[imageId(1), 'scanned']]);
    expect(coordinator.controller.told).toHaveLength(1);
  });
});

function finding(at: number, severity: Finding['severity']): Finding {
  return {
    id: `CVE-2026-${at}`,
    packageName: 'openssl',
    packageClass: 'os',
    installedVersion: '3.0.1',
    fixedVersion: '3.0.2',
    severity,
    status: 'fixed',
  };
}

function scanned(imageId: string, findings: number): ScanReport {
  const scanner = { name: 'trivy', version: '0.74.0', databaseUpdatedAt: null, databaseMark: null };
  return { imageId, scanner, os: null, findings: Array.from({ length: findings }, (_, at) => finding(at, 'HIGH')) };
}

describe('what is refused', () => {
  test('ends the call at once, and says why', async () => {
    const coordinator = await startCoordinator();
    const call = coordinator.client({ node: 'node-2' }).readTask(signal);
    await expect(call).rejects.toMatchObject({
      code: 'refused',
      problem: 'other-node',
      message: expect.stringContaining(coordinator.url) as string,
    });
    coordinator.controller.running.clear();
    await expect(coordinator.client().readTask(signal)).rejects.toMatchObject({ code: 'run-ended' });
    expect(coordinator.retries).toEqual([]);
  });

  test('a token that was renewed meanwhile is tried', async () => {
    const coordinator = await startCoordinator();
    const { reviews } = coordinator.controller;
    await writeFile(coordinator.files.tokenFile, 'old.token');
    coordinator.controller.before = async (port) => {
      if (port === 'tokens') await writeFile(coordinator.files.tokenFile, `${TOKEN}\n`);
    };
    await coordinator.client().readTask(signal);
    expect(coordinator.retries).toEqual(['refused']);
    reviews.clear();
    await expect(coordinator.client().readTask(signal)).rejects.toMatchObject({ problem: 'token-rejected' });
  });

  test('files that are missing are told', async () => {
    const coordinator = await startCoordinator();
    const client = coordinator.client();
    await rm(coordinator.files.caFile);
    await expect(client.readTask(signal)).rejects.toMatchObject({
      code: 'no-credentials',
      message: expect.stringContaining(coordinator.files.caFile) as string,
    });
    await rm(coordinator.files.tokenFile);
    await expect(client.readTask(signal)).rejects.toMatchObject({ code: 'no-credentials' });
  });

  test('the token goes over https only', async () => {
    const coordinator = await startCoordinator();
    expect(() => coordinator.client({ url: 'http://localhost:1' })).toThrow('no https address');
  });

  test('pods of another node are no answer', async () => {
    const coordinator = await startCoordinator();
    const moved = { job: RUN.job, node: 'node-2' };
    coordinator.controller.workerPods.splice(0, 1, podOf('worker-1', 'uid-1', moved));
    coordinator.controller.reviews.set(TOKEN, reviewOf('worker-1', 'uid-1', 'node-2'));
    await expect(coordinator.client().listPendingPods(signal)).rejects.toMatchObject({ code: 'bad-answer' });
  });
});

describe('trust', () => {
  const once = { giveUpAfterMs: 0 };

  test('only in our own authority', async () => {
    const coordinator = await startCoordinator();
    await writeFile(coordinator.files.caFile, makeAuthority(Date.now()).certificate);
    await expect(coordinator.client(once).readTask(signal)).rejects.toMatchObject({ code: 'untrusted', action: 'retry' });
    expect(coordinator.controller.asked.reviews).toBe(0);
  });

  test('not in a certificate that has expired, or is for another name', async () => {
    const coordinator = await startCoordinator();
    const now = Date.now();
    coordinator.server.useIdentity(
      issueServerCertificate(coordinator.authority, ['localhost'], { from: now - 7_200_000, until: now - 3_600_000 }),
    );
    await expect(coordinator.client(once).readTask(signal)).rejects.toMatchObject({
      code: 'untrusted',
      message: expect.stringContaining('expired') as string,
    });
    coordinator.server.useIdentity(makeServerIdentity(coordinator.authority, ['elsewhere'], now));
    await expect(coordinator.client(once).readTask(signal)).rejects.toMatchObject({ code: 'untrusted' });
    expect(coordinator.controller.asked.reviews).toBe(0);
  });

  test('follows the bundle, step by step through a rotation, in one process', async () => {
    const coordinator = await startCoordinator();
    const client = coordinator.client();
    await client.readTask(signal);
    const next = makeAuthority(Date.now());
    await writeFile(coordinator.files.caFile, coordinator.authority.certificate + next.certificate);
    await client.readTask(signal);
    coordinator.server.useIdentity(makeServerIdentity(next, ['localhost'], Date.now()));
    await client.readTask(signal);
    await writeFile(coordinator.files.caFile, next.certificate);
    await client.readTask(signal);
    expect(coordinator.retries).toEqual([]);
  });

  test('a bundle that comes late is waited for', async () => {
    const coordinator = await startCoordinator();
    const next = makeAuthority(Date.now());
    coordinator.server.useIdentity(makeServerIdentity(next, ['localhost'], Date.now()));
    const task = coordinator.client().readTask(signal);
    await eventually(() => coordinator.retries.length).toBeGreaterThan(0);
    await writeFile(coordinator.files.caFile, next.certificate);
    expect(await task).toMatchObject(SETTINGS);
    expect(new Set(coordinator.retries)).toEqual(new Set(['untrusted']));
  });
});

describe('while the coordinator is away', () => {
  test('a call is repeated until it is back, and results are recorded once', async () => {
    const coordinator = await startCoordinator();
    const client = coordinator.client();
    await client.readTask(signal);
    await coordinator.server.close(0);
    const reported = client.reportResult(RESULT, signal);
    await eventually(() => coordinator.retries.length).toBeGreaterThan(1);
    await coordinator.restart();
    await reported;
    expect(coordinator.controller.results).toHaveLength(1);
    expect(new Set(coordinator.retries)).toEqual(new Set(['unreachable']));
  });

  test('results whose acknowledgement was lost are sent again, and recorded once', async () => {
    const coordinator = await startCoordinator();
    const proxy = await startProxy(coordinator.server.port);
    const client = coordinator.client({ url: proxy.url });
    coordinator.controller.before = (port) => {
      if (port === 'results' && coordinator.controller.results.length === 0) setTimeout(() => proxy.cut(), 50);
      return Promise.resolve();
    };
    proxy.holdAnswers = () => coordinator.controller.results.length > 0 && coordinator.retries.length === 0;
    await client.reportResult(RESULT, signal);
    expect(coordinator.retries).toEqual(['unreachable']);
    expect(coordinator.controller.results).toHaveLength(1);
  });

  test('connections that are cut again and again delay a call, no more', async () => {
    const coordinator = await startCoordinator();
    const proxy = await startProxy(coordinator.server.port);
    proxy.cutAfterBytes = [0, 100, 1_500, 3_000];
    expect(await coordinator.client({ url: proxy.url }).readTask(signal)).toMatchObject(SETTINGS);
    expect(coordinator.retries.length).toBeGreaterThanOrEqual(3);
  });

  test('the calls under way when it ends find the next one', async () => {
    const coordinator = await startCoordinator();
    const client = coordinator.client();
    const gate = Promise.withResolvers<undefined>();
    coordinator.controller.before = (port) => (port === 'nodePods' ? gate.promise : Promise.resolve());
    const pods = Array.from({ length: 4 }, () => client.listPendingPods(signal));
    await eventually(() => coordinator.controller.asked.nodePods).toBeGreaterThan(0);
    await coordinator.server.close(0);
    await coordinator.restart();
    gate.resolve(undefined);
    for (const answer of await Promise.all(pods)) expect(answer).toEqual(coordinator.controller.nodePods.get(RUN.node));
  });

  test('gives up in time, and says why', async () => {
    const coordinator = await startCoordinator();
    await coordinator.server.close(0);
    const timing = new FakeTiming();
    const call = coordinator.client({ timing, giveUpAfterMs: 60_000 }).readTask(signal);
    const failed = expect(call).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringMatching(/ECONNREFUSED|AggregateError|^GET/) as string,
    });
    for (let step = 0; step < 40; step++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      await timing.advance(5_000);
    }
    await failed;
    expect(coordinator.retries.length).toBeGreaterThan(3);
  });

  test('an abort ends the wait with its own reason', async () => {
    const coordinator = await startCoordinator();
    await coordinator.server.close(0);
    const stop = new AbortController();
    const call = coordinator.client().readTask(stop.signal);
    await eventually(() => coordinator.retries.length).toBeGreaterThan(0);
    stop.abort(new Error('the run is stopped'));
    await expect(call).rejects.toThrow('the run is stopped');
  });

  test('an abort ends a call that is under way', async () => {
    const coordinator = await startCoordinator();
    const seen = Promise.withResolvers<AbortSignal>();
    coordinator.controller.before = (port, gone) => {
      if (port !== 'images') return Promise.resolve();
      seen.resolve(gone);
      return new Promise(() => undefined);
    };
    const stop = new AbortController();
    const call = coordinator.client().reportInventory({ inventory: INVENTORY, inUse: new Set(), filesystem: null }, stop.signal);
    const gone = await seen.promise;
    stop.abort(new Error('the run is stopped'));
    await expect(call).rejects.toThrow('the run is stopped');
    // The coordinator learns of it, too.
    await eventually(() => gone.aborted).toBe(true);
  });
});

describe('what is slow or strange', () => {
  test('Retry-After is honoured', async () => {
    const coordinator = await startCoordinator({ limits: { worker: { burst: 1, perSecond: 0.5 } } });
    const client = coordinator.client();
    await client.readTask(signal);
    const before = performance.now();
    await client.readTask(signal);
    expect(performance.now() - before).toBeGreaterThan(1_900);
    expect(coordinator.retries).toEqual(['away']);
  });

  test('an address that does not answer is not waited for long', async () => {
    const coordinator = await startCoordinator();
    const silent = createTcp(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void silent.close());
    const { port } = silent.address() as AddressInfo;
    const client = coordinator.client({ url: `https://localhost:${port}`, connectTimeoutMs: 100, giveUpAfterMs: 0 });
    await expect(client.readTask(signal)).rejects.toMatchObject({
      code: 'timeout',
      message: expect.stringContaining('no connection within 0.1 s') as string,
    });
    client.close();
  });

  test('calls that wait for a connection of another have all of their time', async () => {
    const coordinator = await startCoordinator();
    coordinator.controller.before = () => new Promise((resolve) => setTimeout(resolve, 2_500));
    const client = coordinator.client({ connectTimeoutMs: 2_000 });
    const calls = Array.from({ length: 12 }, () => client.readTask(signal));
    expect(await Promise.all(calls)).toHaveLength(12);
    expect(coordinator.retries).toEqual([]);
  });

  const strange: readonly (readonly [string, StrangeAnswer, string])[] = [
    ['a page', { status: 200, type: 'text/html', body: '<html>' }, 'bad-answer'],
    ['another form', { status: 200, type: 'application/json', body: '{"protections":[]}' }, 'bad-answer'],
    [
      'an answer without end',
      { status: 200, type: 'application/json', body: ' '.repeat(CALL_LIMITS.settings.maxAnswerBytes + 1) },
      'bad-answer',
    ],
    ['a redirection', { status: 302, type: 'text/html', body: '' }, 'bad-answer'],
    ['a gateway whose server is away', { status: 502, type: 'text/html', body: '<html>' }, 'away'],
    ['a refusal of somebody else', { status: 403, type: 'text/html', body: '<html>' }, 'bad-answer'],
  ];
  test.each(strange)('%s is no answer', async (_, { status, type, body }, code) => {
    const coordinator = await startCoordinator();
    const url = await startStranger(coordinator, (server) =>
      server.on('request', (__, response) =>
        response.writeHead(status, { 'content-type': type, location: 'https://elsewhere/' }).end(body),
      ),
    );
    await expect(coordinator.client({ url, giveUpAfterMs: 0 }).readTask(signal)).rejects.toMatchObject({ code });
  });

  test('a call that is larger than any that is taken is not made', async () => {
    const coordinator = await startCoordinator();
    const repoTags = Array.from({ length: 1_000 }, () => 'x'.repeat(10_000));
    const client = coordinator.client();
    await expect(
      client.reportResult({ ...RESULT, decisions: RESULT.decisions.map((decision) => ({ ...decision, repoTags })) }, signal),
    ).rejects.toMatchObject({ code: 'too-large' });
    const analyses = [analysisOf(imageId(1), CALL_LIMITS.scans.maxRequestBytes)];
    await expect(client.exchangeScans({ ...NOTHING_ASKED, analyses }, signal)).rejects.toMatchObject({ code: 'too-large' });
    const inventory = { ...INVENTORY, images: [{ ...IMAGE, repoTags }] };
    await expect(client.reportInventory({ inventory, inUse: new Set(), filesystem: null }, signal)).rejects.toMatchObject({
      code: 'too-large',
    });
  });

  test('the token is in no error', async () => {
    const coordinator = await startCoordinator();
    coordinator.controller.reviews.clear();
    const error: unknown = await coordinator
      .client()
      .readTask(signal)
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error)) + String((error as Error).stack)).not.toContain(TOKEN);
  });

  test('a connection is used again', async () => {
    const coordinator = await startCoordinator();
    const proxy = await startProxy(coordinator.server.port);
    const client = new CoordinatorClient({
      url: proxy.url,
      ...RUN,
      ...coordinator.files,
      timing: SYSTEM_TIMING,
      wallNow: Date.now,
      giveUpAfterMs: 0,
      onRetry: () => undefined,
    });
    for (let call = 0; call < 5; call++) await client.listPendingPods(signal);
    await client.reportResult(RESULT, signal);
    expect(proxy.connections).toBe(1);
    client.close();
  });
});

interface StrangeAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** Somebody else with a certificate of ours. */
async function startStranger({ authority }: CoordinatorInTest, arrange: (server: Server) => void): Promise<string> {
  const { certificate, key } = makeServerIdentity(authority, ['localhost'], Date.now());
  const server = createHttps({ cert: certificate, key });
  arrange(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `https://localhost:${(server.address() as AddressInfo).port}`;
}

interface Proxy {
  readonly url: string;
  connections: number;
  /** The first connections end after so many bytes of answers. */
  cutAfterBytes: number[];
  /** Whether what the server says is swallowed. */
  holdAnswers: () => boolean;
  cut(): void;
}

/** Stands between client and server, without a look into what they say. */
async function startProxy(port: number): Promise<Proxy> {
  const open = new Set<Socket>();
  const server = createTcp((near) => {
    const far = connect(port, '127.0.0.1');
    const left = { bytes: proxy.cutAfterBytes[proxy.connections] ?? Number.MAX_SAFE_INTEGER };
    proxy.connections += 1;
    const end = (): void => [near, far].forEach((socket) => socket.destroy());
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        open.delete(socket);
        end();
      });
    }
    near.on('data', (chunk) => far.write(chunk));
    far.on('data', (chunk: Buffer) => {
      if (proxy.holdAnswers()) return;
      left.bytes -= chunk.length;
      if (left.bytes < 0) end();
      else near.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => open.forEach((socket) => socket.destroy());
  onTestFinished(() => {
    cut();
    server.close();
  });
  const proxy: Proxy = {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    connections: 0,
    cutAfterBytes: [],
    holdAnswers: () => false,
    cut,
  };
  return proxy;
}
