import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  podOf,
  reviewOf,
  RUN,
  startCoordinator,
  type ControllerInTest,
  type CoordinatorInTest,
  type StartOptions,
} from '../../test/fakes/coordinator-in-test.ts';
import { eventually } from '../../test/fakes/eventually.ts';
import { analysisOf, NOTHING_ASKED } from '../../test/fakes/fake-reader.ts';
import { FakeTiming } from '../../test/fakes/fake-timing.ts';
import { finding, image, imageId, report } from '../../test/fakes/images.ts';
import { PATH, rawCall, type RawAnswer, type RawCall } from '../../test/fakes/raw-call.ts';
import { CALL_LIMITS } from '../api/coordinator/coordinator-api.ts';
import {
  encodeScans,
  LEASE_MS,
  LONGEST_WAIT_MS,
  MOST_IMAGES_ASKED,
  MOST_IN_HAND,
  SCANS_TYPE,
  scanAnswerSchema,
  type ReadFailure,
  type ScanAnswer,
  type ScanExchange,
  type ScansHead,
} from '../api/coordinator/scans-call.ts';
import type { ScanReport } from '../api/scan-report.ts';
import { answerScans, HEARD_MS } from './calls/answer-scans.ts';
import { formatScans } from './client/format-scans.ts';
import { ScanLeases } from './scan-leases.ts';

const MiB = 1024 * 1024;
const [A, B, C] = [imageId(1), imageId(2), imageId(3)];
const NOTHING: ScanAnswer = { results: [], leased: [], elsewhere: [], rest: [] };
const KILLED: ReadFailure = { kind: 'unscanned', reason: 'killed', message: 'ended by signal 9' };
const UNSCANNABLE: ReadFailure = { kind: 'unscannable', error: 'no layer' };

const sent = (fields: Partial<ScanExchange> = {}): ScanExchange => ({ ...NOTHING_ASKED, ...fields });
const head = (fields: Partial<Record<keyof ScansHead, unknown>> = {}): ScansHead =>
  ({ ...sent(), analyses: [], parts: [], failed: [], ...fields }) as unknown as ScansHead;
const post = (body: Buffer): RawCall => ({ path: PATH('scans'), body, headers: { 'content-type': SCANS_TYPE } });
const asked = (fields: Partial<ScanExchange> = {}): RawCall => post(formatScans(sent(fields)));
const told = (...images: readonly string[]): Partial<ScanExchange> => ({ analyses: images.map((id) => analysisOf(id)) });
const outcome = ({ status, problem }: RawAnswer): string => `${status}${problem === null ? '' : ` ${problem.code}`}`;
const reportOf = (id: string, fields: Partial<ScanReport> = {}): ScanReport => report(image(1), { imageId: id, ...fields });
const scanned = (id: string): ScanAnswer['results'][number] => ({ imageId: id, result: { kind: 'scanned', report: reportOf(id) } });

/** One whose report is of so many bytes, and some more. */
const large = (id: string, bytes: number): ScanReport => reportOf(id, { findings: [finding({ packageName: 'x'.repeat(bytes) })] });

interface Started extends CoordinatorInTest {
  /** What the worker on `node-<number>` says, and is answered. */
  readonly exchange: (node: number, fields: Partial<ScanExchange>, signal?: AbortSignal) => Promise<ScanAnswer>;
}

const { signal: never } = new AbortController();

async function start(options: StartOptions = {}): Promise<Started> {
  const coordinator = await startCoordinator(options);
  const clients = new Map([[1, coordinator.client({ giveUpAfterMs: 0 })]]);
  for (const number of [2, 3, 4]) {
    const run = { ...RUN, node: `node-${number}` };
    const [name, uid, token] = [`worker-${number}`, `uid-${number}`, `header.claims.signature-${number}`];
    coordinator.controller.reviews.set(token, reviewOf(name, uid, run.node));
    coordinator.controller.workerPods.push(podOf(name, uid, run));
    const tokenFile = join(dirname(coordinator.files.tokenFile), `token-${number}`);
    await writeFile(tokenFile, token);
    clients.set(number, coordinator.client({ ...run, tokenFile, giveUpAfterMs: 0 }));
  }
  return {
    ...coordinator,
    exchange: (node, fields, signal = never) => {
      const client = clients.get(node);
      if (client === undefined) throw new Error(`there is no node ${node}`);
      return client.exchangeScans(sent(fields), signal);
    },
  };
}

/** The images that were judged, by who has told of them. */
function judgedIn({ told: calls }: ControllerInTest): readonly (readonly [string, readonly string[]])[] {
  return calls.map(({ node, analyses }) => [node, analyses.map((analysis) => analysis.imageId)]);
}

/** How often verdicts were asked for. */
function countReads(controller: ControllerInTest): { times: number } {
  const reads = { times: 0 };
  const read = controller.ports.verdicts.read.bind(controller.ports.verdicts);
  vi.spyOn(controller.ports.verdicts, 'read').mockImplementation((...args) => {
    reads.times += 1;
    return read(...args);
  });
  return reads;
}

/** No time is ever up but that of who does not wait: others are woken by something else, or for ever asleep. */
function stopTimeouts(): void {
  const spy = vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => (ms === 0 ? AbortSignal.abort() : new AbortController().signal));
  onTestFinished(() => spy.mockRestore());
}

describe('a worker that asks for images', () => {
  test('is told the verdicts that there are, and given others to read, as many as it would', async () => {
    const { controller, exchange } = await start();
    controller.known.set(A, reportOf(A));
    controller.known.set(imageId(9), reportOf(imageId(9)));
    expect(await exchange(1, { wanted: [A, B, C], mayTake: 1 })).toEqual({ ...NOTHING, results: [scanned(A)], leased: [B] });
    expect(await exchange(1, { wanted: [C], inHand: [B], mayTake: 0 })).toEqual(NOTHING);
  });

  test('is told which of them another reads', async () => {
    const { exchange } = await start();
    await exchange(1, { wanted: [A, B], mayTake: 2 });
    expect(await exchange(2, { wanted: [A, B, C], mayTake: 3 })).toEqual({ ...NOTHING, leased: [C], elsewhere: [A, B] });
  });

  test('is told of each once', async () => {
    const { controller, exchange } = await start();
    controller.known.set(A, reportOf(A));
    const answer = await exchange(1, { wanted: [A, A, B, B], mayTake: 2, ...told(C, C) });
    expect(answer).toEqual({ ...NOTHING, results: [scanned(C), scanned(A)], leased: [B] });
  });

  test('asks by the version of its own Trivy', async () => {
    const { controller, exchange } = await start();
    const read = vi.spyOn(controller.ports.verdicts, 'read');
    await exchange(1, { scannerVersion: '0.75.1', wanted: [A] });
    await exchange(1, { scannerVersion: null, wanted: [B] });
    // So it does of an image that it tells of.
    await exchange(1, { scannerVersion: '0.75.1', ...told(C) });
    expect(read.mock.calls.map(([wanted]) => wanted)).toEqual([
      { imageIds: [A], scannerVersion: '0.75.1' },
      { imageIds: [B], scannerVersion: null },
      { imageIds: [C], scannerVersion: '0.75.1' },
    ]);
  });

  test('that has no Trivy is given none to read', async () => {
    const { exchange } = await start();
    expect(await exchange(1, { scannerVersion: null, wanted: [A], mayTake: 1 })).toEqual(NOTHING);
    expect(await exchange(2, { wanted: [A], mayTake: 1 })).toEqual({ ...NOTHING, leased: [A] });
  });

  test('that asks for none is told of none, and nothing is read for it', async () => {
    const { controller, exchange } = await start();
    const reads = countReads(controller);
    expect(await exchange(1, { mayTake: MOST_IN_HAND, mayWaitMs: LONGEST_WAIT_MS })).toEqual(NOTHING);
    expect(reads.times).toBe(0);
  });

  test('is given what another had whose lease has run out', async () => {
    const timing = new FakeTiming();
    const { exchange } = await start({ server: { timing } });
    await exchange(1, { wanted: [A, B], mayTake: 2 });
    timing.jump(LEASE_MS - 1);
    await exchange(1, { inHand: [A] });
    timing.jump(1);
    expect(await exchange(2, { wanted: [A, B], mayTake: 2 })).toEqual({ ...NOTHING, leased: [B], elsewhere: [A] });
  });

  test('is given at once what another has in hand no more; what a pod has in hand its scanner alone says', async () => {
    const { exchange } = await start();
    await exchange(1, { wanted: [A, B], mayTake: 2 });
    await exchange(1, { scannerVersion: null, wanted: [C] });
    expect(await exchange(2, { wanted: [A, B], mayTake: 2 })).toEqual({ ...NOTHING, elsewhere: [A, B] });
    await exchange(1, { inHand: [B] });
    expect(await exchange(2, { wanted: [A, B], mayTake: 2 })).toEqual({ ...NOTHING, leased: [A], elsewhere: [B] });
    // Without a scanner there is nothing to have in hand.
    await exchange(3, { scannerVersion: null, inHand: [C] });
    expect(await exchange(2, { wanted: [C], inHand: [A], mayTake: 1 })).toEqual({ ...NOTHING, leased: [C] });
  });

  test('is given no image that three nodes were leased in this run, and were not heard of again', async () => {
    const timing = new FakeTiming();
    const { exchange } = await start({ server: { timing } });
    for (const node of [1, 2, 3]) {
      expect(await exchange(node, { wanted: [A], mayTake: 1 })).toEqual({ ...NOTHING, leased: [A] });
      timing.jump(LEASE_MS);
    }
    for (const node of [4, 1]) {
      expect((await exchange(node, { wanted: [A], mayTake: 1 })).results).toEqual([
        { imageId: A, result: { kind: 'unscanned', reason: 'timeout', message: expect.stringContaining('3 nodes') as string } },
      ]);
    }
  });

  test('is not given an image on which the verdict came while what is on record was read', async () => {
    const { controller, exchange } = await start();
    await exchange(1, { wanted: [A], mayTake: 1 });
    const read = controller.ports.verdicts.read.bind(controller.ports.verdicts);
    const readAt = vi.spyOn(controller.ports.verdicts, 'read').mockImplementationOnce(async (...args) => {
      const before = await read(...args);
      await exchange(1, told(A));
      return before;
    });
    expect(await exchange(2, { wanted: [A, B], mayTake: 2 })).toEqual({ ...NOTHING, leased: [B], elsewhere: [A] });
    readAt.mockImplementationOnce(async (...args) => {
      const before = await read(...args);
      await exchange(2, told(B));
      return before;
    });
    stopTimeouts();
    expect(await exchange(3, { wanted: [B], mayTake: 1, mayWaitMs: LONGEST_WAIT_MS })).toEqual({ ...NOTHING, results: [scanned(B)] });
  });
});

describe('what was read of images', () => {
  test('is judged, and told to all who ask from then on', async () => {
    const { controller, exchange } = await start();
    await exchange(1, { wanted: [A, B], mayTake: 2 });
    const answer = await exchange(1, { wanted: [C], mayTake: 1, ...told(A, B) });
    expect(answer).toEqual({ ...NOTHING, results: [scanned(A), scanned(B)], leased: [C] });
    expect(controller.told).toEqual([{ node: 'node-1', analyses: [analysisOf(A), analysisOf(B)] }]);
    expect(await exchange(2, { wanted: [A, B, C], mayTake: 3 })).toEqual({
      ...NOTHING,
      results: [scanned(A), scanned(B)],
      elsewhere: [C],
    });
  });

  test('arrives as it was, with parts that images share', async () => {
    const { controller, exchange } = await start();
    const base = { key: 'base', data: Buffer.from('of both') };
    const of = (id: string, own: string) => ({
      imageId: id,
      scannerName: 'trivy',
      scannerVersion: '0.74.0',
      parts: [base, { key: own, data: Buffer.from(own) }],
      recipe: Buffer.from(`how ${own} is made`),
    });
    const empty = { ...of(C, 'c'), parts: [], recipe: Buffer.alloc(0) };
    await exchange(1, { analyses: [of(A, 'a'), of(B, 'b'), empty] });
    expect(controller.told).toEqual([{ node: 'node-1', analyses: [of(A, 'a'), of(B, 'b'), empty] }]);
  });

  test('counts once where it names a part more than once', async () => {
    const { controller, exchange } = await start();
    const [part] = analysisOf(A).parts;
    if (part === undefined) throw new Error('there is no part');
    await exchange(1, { analyses: [{ ...analysisOf(A), parts: [part, part, part] }] });
    expect(controller.told[0]?.analyses).toEqual([analysisOf(A)]);
  });

  test('of an image that has a verdict changes nothing of that', async () => {
    const { controller, exchange } = await start();
    controller.known.set(A, reportOf(A));
    controller.judge = ({ imageId: id }) => reportOf(id, { findings: [finding()] });
    await exchange(1, { inHand: [A, B] });
    const { results } = await exchange(1, told(A, B));
    expect(results).toEqual([scanned(A), { imageId: B, result: { kind: 'scanned', report: reportOf(B, { findings: [finding()] }) } }]);
    expect(judgedIn(controller)).toEqual([['node-1', [B]]]);
    // Nobody has it in hand any more.
    controller.known.clear();
    expect((await exchange(2, { wanted: [A], mayTake: 1 })).leased).toEqual([A]);
  });

  test('of an image that another has is ignored, and changes nothing', async () => {
    const { controller, exchange } = await start();
    await exchange(1, { wanted: [A], mayTake: 1 });
    expect(await exchange(2, told(A))).toEqual({ ...NOTHING, elsewhere: [A] });
    expect(judgedIn(controller)).toEqual([]);
    // Of several, those that are its own count.
    await exchange(2, { wanted: [B], mayTake: 1 });
    expect(await exchange(2, told(A, B))).toEqual({ ...NOTHING, results: [scanned(B)], elsewhere: [A] });
    expect((await exchange(1, told(A))).results).toEqual([scanned(A)]);
    expect(judgedIn(controller)).toEqual([
      ['node-2', [B]],
      ['node-1', [A]],
    ]);
  });

  test('counts from a node whose time for it was up, also where another has it by then', async () => {
    const timing = new FakeTiming();
    const { controller, exchange } = await start({ server: { timing } });
    await exchange(1, { wanted: [A], mayTake: 1 });
    timing.jump(LEASE_MS);
    expect(await exchange(2, { wanted: [A], mayTake: 1 })).toEqual({ ...NOTHING, leased: [A] });
    expect(await exchange(3, told(A))).toEqual({ ...NOTHING, elsewhere: [A] });
    expect(await exchange(1, told(A))).toEqual({ ...NOTHING, results: [scanned(A)] });
    expect(await exchange(2, told(A))).toEqual({ ...NOTHING, results: [scanned(A)] });
    expect(judgedIn(controller)).toEqual([['node-1', [A]]]);
  });

  /** Judges when the test says so. */
  function holdJudge({ controller }: Started): { readonly gate: PromiseWithResolvers<undefined>; times: number } {
    const held = { gate: Promise.withResolvers<undefined>(), times: 0 };
    const judge = controller.ports.verdicts.judge.bind(controller.ports.verdicts);
    vi.spyOn(controller.ports.verdicts, 'judge').mockImplementation(async (...args) => {
      held.times += 1;
      await held.gate.promise;
      return judge(...args);
    });
    return held;
  }

  test('is judged for as long as that takes: nobody else is given the images that its node has in hand', async () => {
    const timing = new FakeTiming();
    const coordinator = await start({ server: { timing } });
    const { exchange } = coordinator;
    await exchange(1, { wanted: [A, B], mayTake: 2 });
    const held = holdJudge(coordinator);
    const answer = exchange(1, { inHand: [B], ...told(A) });
    await eventually(() => held.times).toBe(1);
    timing.jump(LEASE_MS * 2);
    expect(await exchange(2, { wanted: [A, B], mayTake: 2 })).toEqual({ ...NOTHING, elsewhere: [A, B] });
    held.gate.resolve(undefined);
    expect(await answer).toEqual({ ...NOTHING, results: [scanned(A)] });
    timing.jump(LEASE_MS - 1);
    expect(await exchange(2, { wanted: [B], mayTake: 1 })).toEqual({ ...NOTHING, elsewhere: [B] });
    timing.jump(1);
    expect(await exchange(2, { wanted: [B], mayTake: 1 })).toEqual({ ...NOTHING, leased: [B] });
  });

  test('is waited for no longer where its node has gone away, though the judge has not noticed', async () => {
    const timing = new FakeTiming();
    const coordinator = await start({ server: { timing } });
    const { exchange, server } = coordinator;
    await exchange(1, { wanted: [A], mayTake: 1 });
    const held = holdJudge(coordinator);
    const gone = new AbortController();
    const call = exchange(1, told(A), gone.signal);
    await eventually(() => held.times).toBe(1);
    gone.abort(new Error('the pod has ended'));
    await expect(call).rejects.toThrow('the pod has ended');
    await eventually(() => server.bytesInFlight).toBe(0);
    timing.jump(LEASE_MS);
    expect(await exchange(2, { wanted: [A], mayTake: 1 })).toEqual({ ...NOTHING, leased: [A] });
    held.gate.resolve(undefined);
  });

  test('is given to nobody by a coordinator that goes on after another one, until all who may have it in hand have said so', async () => {
    const timing = new FakeTiming();
    const { controller, exchange } = await start({ server: { timing } });
    controller.takenUpAt = timing.now();
    controller.known.set(C, reportOf(C));
    expect(await exchange(2, { wanted: [A, B, C], mayTake: 3 })).toEqual({ ...NOTHING, results: [scanned(C)], elsewhere: [A, B] });
    expect(await exchange(1, { wanted: [B], inHand: [A] })).toEqual({ ...NOTHING, elsewhere: [B] });
    timing.jump(HEARD_MS - 1);
    expect(await exchange(2, { wanted: [A, B], mayTake: 2 })).toEqual({ ...NOTHING, elsewhere: [A, B] });
    timing.jump(1);
    expect(await exchange(2, { wanted: [A, B], mayTake: 2 })).toEqual({ ...NOTHING, leased: [B], elsewhere: [A] });
  });

  test('is given to who waits for it when they have, and not asked for again and again until then', async () => {
    const timing = new FakeTiming();
    stopTimeouts();
    const { controller, exchange } = await start({ server: { timing } });
    const reads = countReads(controller);
    controller.takenUpAt = timing.now();
    const waiting = exchange(2, { wanted: [A], mayTake: 1, mayWaitMs: LONGEST_WAIT_MS });
    await eventually(() => reads.times).toBe(1);
    await timing.advance(HEARD_MS - 1);
    expect(reads.times).toBe(1);
    await timing.advance(1);
    expect(await waiting).toEqual({ ...NOTHING, leased: [A] });
  });

  test('is waited for by nobody without a scanner, whoever may have it in hand', async () => {
    const timing = new FakeTiming();
    stopTimeouts();
    const { controller, exchange } = await start({ server: { timing } });
    controller.takenUpAt = timing.now();
    expect(await exchange(2, { scannerVersion: null, wanted: [A], mayWaitMs: LONGEST_WAIT_MS })).toEqual(NOTHING);
  });

  test('under another coordinator is judged by the next: who has it in hand says so', async () => {
    const coordinator = await start();
    const { controller, exchange } = coordinator;
    await exchange(1, { wanted: [A, B], mayTake: 2 });
    await coordinator.server.close(0);
    await coordinator.restart();
    expect(await exchange(1, { inHand: [B], ...told(A) })).toEqual({ ...NOTHING, results: [scanned(A)] });
    expect(await exchange(2, { wanted: [A, B], mayTake: 2 })).toEqual({ ...NOTHING, results: [scanned(A)], elsewhere: [B] });
    expect(judgedIn(controller)).toEqual([['node-1', [A]]]);
  });

  test('and is of no use to the server is no verdict, and another may try', async () => {
    const { controller, exchange } = await start();
    await exchange(1, { wanted: [A, B], mayTake: 2 });
    controller.judge = ({ imageId: id }) => (id === A ? null : reportOf(id));
    const { results } = await exchange(1, told(A, B));
    expect(results).toHaveLength(2);
    expect(results).toContainEqual(scanned(B));
    expect(results).toContainEqual({
      imageId: A,
      result: { kind: 'unscanned', reason: 'scan-failed', message: "Trivy's server cannot use what was read of it" },
    });
    expect(await exchange(2, { wanted: [A], mayTake: 1 })).toEqual({ ...NOTHING, leased: [A] });
  });

  test('by a node that was revoked in this run counts for nobody, and another may read it', async () => {
    const { controller, exchange } = await start();
    await exchange(1, { wanted: [A], mayTake: 1 });
    vi.spyOn(controller.ports.verdicts, 'judge').mockResolvedValueOnce({ kind: 'revoked' });
    const message = 'what this node tells of images was revoked in this run';
    const failure = { imageId: A, result: { kind: 'unscanned', reason: 'scan-failed', message } };
    expect(await exchange(1, told(A))).toEqual({ ...NOTHING, results: [failure] });
    expect(await exchange(1, { wanted: [A], mayTake: 1 })).toEqual({ ...NOTHING, results: [failure] });
    expect(await exchange(2, { wanted: [A], mayTake: 1 })).toEqual({ ...NOTHING, leased: [A] });
    expect(await exchange(2, told(A))).toEqual({ ...NOTHING, results: [scanned(A)] });
  });

  test('is judged for no more calls at once than there may be, and for none whose caller has gone', async () => {
    const { controller, server, exchange } = await start({ limits: { maxJudgements: 2 } });
    const gate = Promise.withResolvers<undefined>();
    const atOnce = { now: 0, most: 0 };
    const judge = controller.ports.verdicts.judge.bind(controller.ports.verdicts);
    vi.spyOn(controller.ports.verdicts, 'judge').mockImplementation(async (...args) => {
      atOnce.now += 1;
      atOnce.most = Math.max(atOnce.most, atOnce.now);
      await gate.promise;
      atOnce.now -= 1;
      return judge(...args);
    });
    const gone = new AbortController();
    const answers = [1, 2].map((node) => exchange(node, told(imageId(node))));
    await eventually(() => atOnce.now).toBe(2);
    const size = server.bytesInFlight;
    const waits = exchange(4, told(imageId(4)), gone.signal);
    await eventually(() => server.bytesInFlight).toBe((size / 2) * 3);
    answers.push(exchange(3, told(C)));
    await eventually(() => server.bytesInFlight).toBe(size * 2);
    gone.abort(new Error('the pod has ended'));
    await expect(waits).rejects.toThrow('the pod has ended');
    await eventually(() => server.bytesInFlight).toBe((size / 2) * 3);
    gate.resolve(undefined);
    expect((await Promise.all(answers)).map(({ results }) => results)).toEqual([A, B, C].map((id) => [scanned(id)]));
    expect(atOnce.most).toBe(2);
    expect(
      judgedIn(controller)
        .map(([node]) => node)
        .toSorted(),
    ).toEqual(['node-1', 'node-2', 'node-3']);
    await eventually(() => server.bytesInFlight).toBe(0);
  });
});

describe('a worker that waits', () => {
  test('is answered as soon as another has told', async () => {
    const { controller, exchange } = await start();
    await exchange(1, { wanted: [A, B], mayTake: 2 });
    stopTimeouts();
    const reads = countReads(controller);
    const waiting = [2, 3].map((node) => exchange(node, { wanted: [A, B], mayTake: 2, mayWaitMs: LONGEST_WAIT_MS }));
    await eventually(() => reads.times).toBe(2);
    await exchange(1, { inHand: [B], ...told(A) });
    const answer = { ...NOTHING, results: [scanned(A)], elsewhere: [B] };
    expect(await Promise.all(waiting)).toEqual([answer, answer]);
  });

  test('is given the image that another could not read', async () => {
    const { controller, exchange } = await start();
    await exchange(1, { wanted: [A], mayTake: 1 });
    stopTimeouts();
    const reads = countReads(controller);
    const waiting = exchange(2, { wanted: [A], mayTake: 1, mayWaitMs: LONGEST_WAIT_MS });
    await eventually(() => reads.times).toBe(1);
    await exchange(1, { failed: [{ imageId: A, failure: KILLED }] });
    expect(await waiting).toEqual({ ...NOTHING, leased: [A] });
  });

  test('is given the image of another whose lease has run out meanwhile', async () => {
    const timing = new FakeTiming();
    const { controller, exchange } = await start({ server: { timing } });
    await exchange(1, { wanted: [A], mayTake: 1 });
    timing.jump(LEASE_MS - 20);
    stopTimeouts();
    const reads = countReads(controller);
    const waiting = exchange(2, { wanted: [A], mayTake: 1, mayWaitMs: LONGEST_WAIT_MS });
    await eventually(() => reads.times).toBeGreaterThan(0);
    timing.jump(20);
    expect(await waiting).toEqual({ ...NOTHING, leased: [A] });
  });

  test('is told that there is nothing when its time is over', async () => {
    const { controller, exchange } = await start();
    await exchange(1, { wanted: [A], mayTake: 1 });
    const reads = countReads(controller);
    expect(await exchange(2, { wanted: [A], mayTake: 1, mayWaitMs: 50 })).toEqual({ ...NOTHING, elsewhere: [A] });
    // It was looked once more.
    expect(reads.times).toBe(2);
  });

  test('waits for nothing where there is something to read or to tell', async () => {
    const { controller, exchange } = await start();
    await exchange(1, { wanted: [A], mayTake: 1 });
    stopTimeouts();
    controller.known.set(C, reportOf(C));
    const wait = { mayTake: 1, mayWaitMs: LONGEST_WAIT_MS };
    expect(await exchange(2, { ...wait, wanted: [A, B] })).toEqual({ ...NOTHING, leased: [B], elsewhere: [A] });
    expect(await exchange(2, { ...wait, wanted: [A, C] })).toEqual({ ...NOTHING, results: [scanned(C)], elsewhere: [A] });
    // Nor does who has told of an image, though another has it now.
    expect(await exchange(2, { ...wait, mayTake: 0, ...told(A) })).toEqual({ ...NOTHING, elsewhere: [A] });
    // Nor where nobody else reads what it wants.
    expect(await exchange(3, { ...wait, mayTake: 0, wanted: [imageId(9)] })).toEqual(NOTHING);
  });

  test('and goes away holds nothing any more', async () => {
    const { controller, server, exchange } = await start();
    await exchange(1, { wanted: [A], mayTake: 1 });
    stopTimeouts();
    const reads = countReads(controller);
    const gone = new AbortController();
    const waiting = exchange(2, { wanted: [A], mayTake: 1, mayWaitMs: LONGEST_WAIT_MS }, gone.signal);
    await eventually(() => reads.times).toBe(1);
    expect(server.bytesInFlight).toBeGreaterThan(0);
    gone.abort(new Error('the pod has ended'));
    await expect(waiting).rejects.toThrow('the pod has ended');
    await eventually(() => server.bytesInFlight).toBe(0);
    expect(reads.times).toBe(1);
    // What nobody waits for is given to nobody.
    await exchange(1, { failed: [{ imageId: A, failure: KILLED }] });
    expect(await exchange(3, { wanted: [A], mayTake: 1 })).toEqual({ ...NOTHING, leased: [A] });
  });
});

describe('an image that could not be read', () => {
  const failed = (id: string, failure: ReadFailure): Partial<ScanExchange> => ({ failed: [{ imageId: id, failure }] });

  test('has no verdict on that node; others may try, up to three nodes', async () => {
    const { exchange } = await start();
    for (const node of [1, 2, 3]) {
      expect(await exchange(node, { wanted: [A], mayTake: 1 })).toEqual({ ...NOTHING, leased: [A] });
      const answer = { ...NOTHING, results: [{ imageId: A, result: KILLED }] };
      expect(await exchange(node, failed(A, KILLED))).toEqual(answer);
      expect(await exchange(node, { wanted: [A], mayTake: 1 })).toEqual(answer);
    }
    expect((await exchange(4, { wanted: [A], mayTake: 1 })).results).toEqual([
      { imageId: A, result: { kind: 'unscanned', reason: 'scan-failed', message: expect.stringContaining('3 nodes') as string } },
    ]);
  });

  test('has a verdict all the same once another node has read it', async () => {
    const { exchange } = await start();
    await exchange(1, { wanted: [A], mayTake: 1 });
    await exchange(1, failed(A, KILLED));
    await exchange(2, { wanted: [A], mayTake: 1 });
    await exchange(2, told(A));
    expect((await exchange(1, { wanted: [A] })).results).toEqual([scanned(A)]);
  });

  test('and cannot be parsed on three nodes is unscannable for those, too, that wait', async () => {
    const { controller, exchange } = await start();
    const results = [{ imageId: A, result: UNSCANNABLE }];
    for (const node of [1, 2]) {
      await exchange(node, { wanted: [A], mayTake: 1 });
      expect(await exchange(node, failed(A, UNSCANNABLE))).toEqual({ ...NOTHING, results });
    }
    await exchange(3, { wanted: [A], mayTake: 1 });
    stopTimeouts();
    const reads = countReads(controller);
    const waiting = exchange(4, { wanted: [A], mayTake: 1, mayWaitMs: LONGEST_WAIT_MS });
    await eventually(() => reads.times).toBe(1);
    await exchange(3, failed(A, UNSCANNABLE));
    expect(await waiting).toEqual({ ...NOTHING, results });
  });

  test('by who does not have it is not said to be so', async () => {
    const { exchange } = await start();
    await exchange(1, { wanted: [A], mayTake: 1 });
    expect(await exchange(2, failed(A, UNSCANNABLE))).toEqual({ ...NOTHING, elsewhere: [A] });
    expect(await exchange(3, failed(B, UNSCANNABLE))).toEqual(NOTHING);
    expect((await exchange(1, told(A))).results).toEqual([scanned(A)]);
    expect(await exchange(2, { wanted: [B], mayTake: 1 })).toEqual({ ...NOTHING, leased: [B] });
  });
});

describe('an answer', () => {
  test('holds as many results as may be, and names the others', async () => {
    const { controller, server, exchange } = await start();
    const reports = [A, B, C].map((id) => large(id, 6 * MiB));
    for (const one of reports) controller.known.set(one.imageId, one);
    const first = await exchange(1, { wanted: [A, B, C, imageId(4)], mayTake: 1 });
    expect(first).toEqual({
      results: reports.slice(0, 2).map((one) => ({ imageId: one.imageId, result: { kind: 'scanned', report: one } })),
      leased: [imageId(4)],
      elsewhere: [],
      rest: [C],
    });
    expect((await exchange(1, { wanted: first.rest })).results.map(({ imageId: id }) => id)).toEqual([C]);
    await eventually(() => server.bytesInFlight).toBe(0);
  });

  test('says of a report that no answer holds that there is no verdict', async () => {
    const { controller, exchange } = await start();
    controller.known.set(A, large(A, CALL_LIMITS.scans.maxAnswerBytes));
    controller.known.set(B, reportOf(B));
    const { results, rest } = await exchange(1, { wanted: [A, B] });
    expect(results).toEqual([
      { imageId: A, result: { kind: 'unscanned', reason: 'scan-failed', message: expect.stringContaining('at most') as string } },
      scanned(B),
    ]);
    expect(rest).toEqual([]);
  });

  test('holds what comes to its most bytes exactly', async () => {
    const { ports, known } = (await start()).controller;
    for (const id of [A, B, C]) known.set(id, large(id, 1_000));
    const size = Buffer.byteLength(JSON.stringify({ kind: 'scanned', report: large(A, 1_000) }));
    const answer = async (mostBytes: number): Promise<ScanAnswer> => {
      const worker = { ...RUN, podName: 'worker-1', podUid: 'uid-1' };
      const timing = new FakeTiming();
      const leases = new ScanLeases(timing);
      const call = answerScans({ ...ports, leases, timing, maxJudgements: 1, mostBytes });
      const answered = await call({ worker, body: formatScans(sent({ wanted: [A, B, C] })), signal: never });
      if (answered.kind === 'refused') throw new Error(answered.detail);
      return scanAnswerSchema.parse(JSON.parse(answered.body.toString()));
    };
    expect((await answer(2 * size)).rest).toEqual([C]);
    expect((await answer(2 * size - 1)).rest).toEqual([B, C]);
    expect((await answer(size)).results.map(({ result }) => result.kind)).toEqual(['scanned']);
    expect((await answer(size - 1)).results.map(({ result }) => result.kind)).toEqual(['unscanned', 'unscanned', 'unscanned']);
  });

  test('is small enough with the most images that may be asked for', async () => {
    const { exchange } = await start();
    const wanted = Array.from({ length: MOST_IMAGES_ASKED }, (_, at) => imageId(at));
    const { leased } = await exchange(1, { wanted, mayTake: MOST_IN_HAND });
    expect(leased).toEqual(wanted.slice(0, MOST_IN_HAND));
    const { elsewhere } = await exchange(2, { wanted });
    expect(elsewhere).toEqual(leased);
  });
});

describe("Trivy's server that is away", () => {
  const AWAY = { kind: 'away', why: 'connect ECONNREFUSED', mayPass: true } as const;
  const calls: readonly (readonly [string, Partial<ScanExchange>])[] = [
    ['for verdicts', { wanted: [A], mayTake: 1 }],
    ['to judge', told(A)],
  ];

  test.each(calls)('is told as such each time to the caller, and to nobody else: %s', async (_, fields) => {
    const coordinator = await start();
    coordinator.controller.away = AWAY;
    const answer = await rawCall(coordinator, asked(fields));
    expect(outcome(answer)).toBe('503 trivy-away');
    expect(answer.problem?.detail).toContain('connect ECONNREFUSED');
    expect(answer.headers['retry-after']).toBe('2');
    expect(coordinator.events).toEqual([]);
    expect(coordinator.controller.told).toEqual([]);
    await eventually(() => coordinator.server.bytesInFlight).toBe(0);
    // Nothing is lost by that.
    coordinator.controller.away = null;
    const again = await rawCall(coordinator, asked(fields));
    expect(JSON.parse(again.text)).toEqual({ ...NOTHING, ...(fields.wanted === undefined ? { results: [scanned(A)] } : { leased: [A] }) });
  });

  test('in the middle of it is told, too', async () => {
    const coordinator = await start();
    const judge = vi.spyOn(coordinator.controller.ports.verdicts, 'judge').mockResolvedValueOnce(AWAY);
    expect(outcome(await rawCall(coordinator, asked(told(A))))).toBe('503 trivy-away');
    judge.mockResolvedValueOnce({ ...AWAY, mayPass: false });
    expect(outcome(await rawCall(coordinator, asked(told(A))))).toBe('424 trivy-failed');
    // It has the image in hand all the while.
    expect((await coordinator.exchange(2, { wanted: [A], mayTake: 1 })).elsewhere).toEqual([A]);
    expect((await coordinator.exchange(1, told(A))).results).toEqual([scanned(A)]);
  });

  test.each(calls)('and has to be mended ends the scan: %s', async (_, fields) => {
    const coordinator = await start();
    coordinator.controller.away = { ...AWAY, why: 'the schema is of another version', mayPass: false };
    const answer = await rawCall(coordinator, asked(fields));
    expect(outcome(answer)).toBe('424 trivy-failed');
    expect(answer.problem?.detail).toContain('the schema is of another version');
    expect(answer.headers['retry-after']).toBeUndefined();
    expect(coordinator.events).toMatchObject([{ kind: 'call-refused', code: 'trivy-failed', node: RUN.node }]);
    await expect(coordinator.exchange(1, fields)).rejects.toMatchObject({ code: 'refused', problem: 'trivy-failed' });
    expect(coordinator.controller.told).toEqual([]);
  });

  test('is waited for by a worker', async () => {
    const coordinator = await start();
    const { controller } = coordinator;
    controller.away = AWAY;
    const timing = new FakeTiming(() => 0);
    const answer = coordinator.client({ timing }).exchangeScans(sent(told(A)), never);
    await eventually(() => coordinator.retries).toEqual(['away']);
    controller.away = null;
    await timing.advance(2_200);
    expect((await answer).results).toEqual([scanned(A)]);
  });

  test('keeps nobody waiting who has no scanner', async () => {
    const { controller, exchange } = await start();
    await exchange(1, { wanted: [A], mayTake: 1 });
    await exchange(2, { wanted: [B], mayTake: 1 });
    await exchange(2, { failed: [{ imageId: B, failure: UNSCANNABLE }] });
    controller.away = AWAY;
    const answer = await exchange(2, { scannerVersion: null, wanted: [A, B, C] });
    expect(answer).toEqual({ ...NOTHING, results: [{ imageId: B, result: UNSCANNABLE }], elsewhere: [A] });
    controller.away = null;
    controller.known.set(C, reportOf(C));
    expect((await exchange(2, { scannerVersion: null, wanted: [C] })).results).toEqual([scanned(C)]);
  });
});

describe('nothing is judged, given or told', () => {
  const whole = formatScans(sent({ wanted: [B], mayTake: 1, ...told(A) }));
  const encoded = (fields: Partial<Record<keyof ScansHead, unknown>>, ...bytes: readonly string[]): Buffer =>
    encodeScans(
      head(fields),
      bytes.map((text) => Buffer.from(text)),
    );
  const framed = (text: string | Buffer): Buffer => {
    const size = Buffer.alloc(4);
    size.writeUInt32BE(Buffer.byteLength(text));
    return Buffer.concat([size, Buffer.from(text)]);
  };
  const analysis = (fields: object = {}): object => ({ imageId: A, parts: [0], recipeBytes: 3, ...fields });
  const one = { analyses: [analysis()], parts: [{ key: 'a', bytes: 4 }] };
  const wanted = (id: string): Buffer => encoded({ wanted: [id], mayTake: 1 });
  const many = (count: number): string[] => Array.from({ length: count }, (_, at) => imageId(at));
  const failure = (fields: object): Buffer => encoded({ failed: [{ imageId: A, failure: { ...KILLED, ...fields } }] });

  const bodies: readonly (readonly [string, Buffer, string])[] = [
    ['nothing', Buffer.alloc(0), '422 invalid'],
    ['a length that is cut off', Buffer.from([0, 0, 0]), '422 invalid'],
    ['a length alone', Buffer.from([0, 0, 0, 9]), '422 invalid'],
    ['the greatest length that there is', Buffer.from([255, 255, 255, 255, 1]), '422 invalid'],
    ['a head that is cut off', framed(JSON.stringify(head())).subarray(0, -1), '422 invalid'],
    ['no head', framed(''), '400 not-json'],
    ['a head that is no JSON', framed('{"wanted":'), '400 not-json'],
    ['a head that is no UTF-8', framed(Buffer.from([0x22, 0xff, 0x22])), '400 not-json'],
    ['a head that is a list', framed('[]'), '422 invalid'],
    ['JSON alone', Buffer.from(JSON.stringify(head())), '422 invalid'],
    ['less than it says', whole.subarray(0, -1), '422 invalid'],
    ['more than it says', Buffer.concat([whole, Buffer.from('x')]), '422 invalid'],
    ['bytes that it says nothing of', encoded({}, 'x'), '422 invalid'],
    ['lengths that come to more than there are', encoded({ ...one, parts: [{ key: 'a', bytes: 2 ** 52 }] }, 'how', 'what'), '422 invalid'],
    ['a length below zero', encoded({ ...one, parts: [{ key: 'a', bytes: -1 }] }, 'how'), '422 invalid'],
    ['half a byte', encoded({ ...one, parts: [{ key: 'a', bytes: 3.5 }] }, 'how', 'what'), '422 invalid'],
    [
      'a large part that many images name',
      encoded(
        { analyses: [1, 2, 3].map((at) => analysis({ imageId: imageId(at), recipeBytes: 0 })), parts: [{ key: 'a', bytes: 12 * MiB }] },
        'x'.repeat(12 * MiB),
      ),
      '422 invalid',
    ],
    ['a part that is not there', encoded({ ...one, analyses: [analysis({ parts: [0, 1] })] }, 'how', 'what'), '422 invalid'],
    ['a part before the first', encoded({ ...one, analyses: [analysis({ parts: [-1] })] }, 'how', 'what'), '422 invalid'],
    ['an analysis without a version', encoded({ ...one, scannerVersion: null }, 'how', 'what'), '422 invalid'],
    ['an empty version', encoded({ ...one, scannerVersion: '' }, 'how', 'what'), '422 invalid'],
    ['a part without a key', encoded({ ...one, parts: [{ key: '', bytes: 4 }] }, 'how', 'what'), '422 invalid'],
    ['an id of another form', wanted(A.slice('sha256:'.length)), '422 invalid'],
    ['an id of another digest', wanted(A.replace('sha256', 'sha512')), '422 invalid'],
    ['an id that is too short', wanted(A.slice(0, -1)), '422 invalid'],
    ['an id in capitals', wanted(imageId(0xab).toUpperCase().replace('SHA', 'sha')), '422 invalid'],
    ['an id with more behind it', wanted(`${A}\n`), '422 invalid'],
    ['an analysis of such an id', encoded({ ...one, analyses: [analysis({ imageId: 'sha256:aa' })] }, 'how', 'what'), '422 invalid'],
    ['a failure of such an id', encoded({ failed: [{ imageId: 'sha256:aa', failure: KILLED }] }), '422 invalid'],
    ['a failure for a reason that is none', failure({ reason: 'bored' }), '422 invalid'],
    ['a report in the place of a failure', failure({ kind: 'scanned', report: reportOf(A) }), '422 invalid'],
    ['a failure that has much to say', failure({ message: 'x'.repeat(4_097) }), '422 invalid'],
    ['too many images', encoded({ wanted: many(MOST_IMAGES_ASKED + 1), mayTake: 1 }), '422 invalid'],
    ['too many in hand', encoded({ inHand: many(MOST_IN_HAND + 1) }), '422 invalid'],
    ['too many to take', encoded({ wanted: [A], mayTake: MOST_IN_HAND + 1 }), '422 invalid'],
    ['too many failures', encoded({ failed: many(MOST_IN_HAND + 1).map((id) => ({ imageId: id, failure: KILLED })) }), '422 invalid'],
    [
      'too many analyses',
      encoded({ analyses: many(MOST_IN_HAND + 1).map((id) => analysis({ imageId: id, parts: [], recipeBytes: 0 })) }),
      '422 invalid',
    ],
    [
      'too many parts',
      encoded({ ...one, parts: Array.from({ length: 2_001 }, (_, at) => ({ key: `${at}`, bytes: 0 })) }, 'how'),
      '422 invalid',
    ],
    [
      'parts that images name too often',
      encoded({
        analyses: [1, 2, 3].map((at) => analysis({ imageId: imageId(at), parts: many(700).map((_, part) => part), recipeBytes: 0 })),
        parts: many(700).map((key) => ({ key, bytes: 0 })),
      }),
      '422 invalid',
    ],
    ['the same part too often', encoded({ ...one, analyses: [analysis({ parts: Array(2_001).fill(0) })] }, 'how', 'what'), '422 invalid'],
    ['a wait that is too long', encoded({ wanted: [A], mayWaitMs: LONGEST_WAIT_MS + 1 }), '422 invalid'],
  ];
  test.each(bodies)('of a body that holds %s', async (_, body, expected) => {
    const coordinator = await start();
    const reads = countReads(coordinator.controller);
    expect(outcome(await rawCall(coordinator, post(body)))).toBe(expected);
    expect(coordinator.controller.told).toEqual([]);
    expect(reads.times).toBe(0);
    await eventually(() => coordinator.server.bytesInFlight).toBe(0);
    // No image was leased to it by that.
    expect((await coordinator.exchange(2, { wanted: [A, B], mayTake: 2 })).leased).toEqual([A, B]);
  });

  const refused: readonly (readonly [string, (controller: ControllerInTest) => void, RawCall, string])[] = [
    ['by another method', () => undefined, { path: PATH('scans') }, '405 method-not-allowed'],
    ['at an address below it', () => undefined, { ...post(whole), path: `${PATH('scans')}/more` }, '404 not-found'],
    ['without a token', () => undefined, { ...post(whole), token: null }, '401 no-token'],
    ['about another node', () => undefined, { ...post(whole), path: PATH('scans', { ...RUN, node: 'node-2' }) }, '403 other-node'],
    ['when the run is over', (at) => at.running.clear(), post(whole), '403 run-ended'],
    ['of JSON', () => undefined, { ...post(whole), headers: { 'content-type': 'application/json' } }, '415 unsupported-type'],
    ['of too much', () => undefined, post(Buffer.alloc(CALL_LIMITS.scans.maxRequestBytes + 1)), '413 too-large'],
  ];
  test.each(refused)('%s', async (_, arrange, call, expected) => {
    const coordinator = await start();
    const reads = countReads(coordinator.controller);
    arrange(coordinator.controller);
    // The connection may be reset while the rest of a body that nobody reads is on its way.
    const answered = await rawCall(coordinator, call).then(outcome, (error: unknown) => (error as NodeJS.ErrnoException).code ?? '');
    expect([expected, ...(expected === '413 too-large' ? ['ECONNRESET', 'EPIPE'] : [])]).toContain(answered);
    expect(coordinator.controller.told).toEqual([]);
    expect(reads.times).toBe(0);
    await eventually(() => coordinator.server.bytesInFlight).toBe(0);
  });

  test('of a part of a body whose sender is gone', async () => {
    const coordinator = await start();
    const headers = { 'content-type': SCANS_TYPE, 'content-length': String(whole.length + 10) };
    const gone = new AbortController();
    const call = rawCall(coordinator, { ...post(whole), headers, tls: { signal: gone.signal } });
    await eventually(() => coordinator.server.bytesInFlight).toBeGreaterThan(0);
    gone.abort();
    await expect(call).rejects.toThrow();
    await eventually(() => coordinator.server.bytesInFlight).toBe(0);
    expect(coordinator.controller.told).toEqual([]);
  });
});

describe('the largest body that may come', () => {
  test('is judged', async () => {
    const { controller, server, exchange } = await start();
    const around = formatScans(sent({ analyses: [analysisOf(A, 9_000_000)] })).length - 9_000_000;
    // The length is written with a digit more.
    const bytes = CALL_LIMITS.scans.maxRequestBytes - around - 1;
    expect((await exchange(1, { analyses: [analysisOf(A, bytes)] })).results).toEqual([scanned(A)]);
    expect(controller.told[0]?.analyses[0]?.parts[0]?.data).toHaveLength(bytes);
    await eventually(() => server.bytesInFlight).toBe(0);
  });
});

describe('scans', () => {
  test('have room of their own: they keep nobody from telling what was removed', async () => {
    const gate = Promise.withResolvers<undefined>();
    const one = formatScans(sent({ analyses: [analysisOf(A, 900)] }));
    const limits = { maxScansCalls: 2, maxScansBytesInFlight: one.length + 900, maxCallsPerWorker: 3 };
    const coordinator = await start({ limits });
    const { controller } = coordinator;
    const seen = { times: 0 };
    controller.before = (port) => {
      if (port !== 'verdicts') return Promise.resolve();
      seen.times += 1;
      return gate.promise;
    };
    const first = rawCall(coordinator, post(one));
    await eventually(() => seen.times).toBe(1);
    // Too many bytes, then too many calls.
    expect(outcome(await rawCall(coordinator, asked({ analyses: [analysisOf(B, 900)] })))).toBe('503 busy');
    const second = rawCall(coordinator, asked());
    expect(outcome(await second)).toBe('200');
    const third = rawCall(coordinator, asked({ wanted: [C] }));
    await eventually(() => seen.times).toBe(2);
    expect(outcome(await rawCall(coordinator, asked()))).toBe('503 busy');
    for (let call = 0; call < 3; call++) expect((await rawCall(coordinator)).status).toBe(200);
    gate.resolve(undefined);
    expect((await Promise.all([first, third])).map(({ status }) => status)).toEqual([200, 200]);
    expect(coordinator.events).toEqual([]);
    await eventually(() => coordinator.server.bytesInFlight).toBe(0);
  });

  const works: readonly (readonly ['judge' | 'read', Partial<ScanExchange>])[] = [
    ['judge', told(A)],
    ['read', { wanted: [A] }],
  ];
  test.each(works)('who goes away ends what is done for it: %s', async (port, fields) => {
    const signals: AbortSignal[] = [];
    const coordinator = await start();
    const hang = (signal: AbortSignal): Promise<never> => {
      signals.push(signal);
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    };
    const { verdicts } = coordinator.controller.ports;
    if (port === 'judge') vi.spyOn(verdicts, port).mockImplementation((_, __, signal) => hang(signal));
    else vi.spyOn(verdicts, port).mockImplementation((_, signal) => hang(signal));
    const gone = new AbortController();
    const call = rawCall(coordinator, { ...asked(fields), tls: { signal: gone.signal } });
    await eventually(() => signals).toHaveLength(1);
    gone.abort();
    await expect(call).rejects.toThrow();
    await eventually(() => signals[0]?.aborted).toBe(true);
    await eventually(() => coordinator.server.bytesInFlight).toBe(0);
  });

  test('that cannot be carried out are asked for again', async () => {
    const coordinator = await start();
    coordinator.controller.before = (port) => (port === 'verdicts' ? Promise.reject(new Error('no memory')) : Promise.resolve());
    expect(outcome(await rawCall(coordinator, asked(told(A))))).toBe('500 internal');
    expect(coordinator.events).toMatchObject([{ kind: 'call-failed', path: PATH('scans') }]);
    coordinator.controller.before = () => Promise.resolve();
    expect((await coordinator.exchange(1, told(A))).results).toEqual([scanned(A)]);
  });
});
