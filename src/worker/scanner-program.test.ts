import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../test/fakes/eventually.ts';
import { FakeCoordinator } from '../../test/fakes/fake-coordinator.ts';
import { FakeRuntime } from '../../test/fakes/fake-runtime.ts';
import { analysisOf, FakeReader } from '../../test/fakes/fake-reader.ts';
import { FakeScanner, untilAborted } from '../../test/fakes/fake-scanner.ts';
import { image, imageId, report } from '../../test/fakes/images.ts';
import { logInTest } from '../../test/fakes/log-in-test.ts';
import { buildMkfifoHelper, type MkfifoHelper } from '../../test/fakes/mkfifo-helper.ts';
import { SYSTEM_TIMING } from '../platform/timing.ts';
import { createHandOver, type HandOver } from './hand-over.ts';
import { makeFifoWith } from './make-fifo.ts';
import { runProgram } from './program.ts';
import type { BoundScanner } from './worker-context.ts';
import { readHandedVerdicts, type HandedVerdicts } from './read-handed-verdicts.ts';

/** Our scanner from its arguments to its exit code, with real files and pipes; runtime and Trivy are doubles. */
describe('the scanner', () => {
  const { signal } = new AbortController();
  let helper: MkfifoHelper;
  let folder: string;
  let others: HandOver;
  let reader: FakeReader;
  /** Keeps what earlier runs have told it. */
  let coordinator: FakeCoordinator;
  let bound: BoundScanner;
  /** The image whose scan does not end by itself. */
  let slow: string | null;
  let connectScanner: () => Promise<BoundScanner>;
  let runtimesClosed: number;

  beforeAll(async () => {
    helper = await buildMkfifoHelper();
  }, 120_000);
  afterAll(() => helper.remove());
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'image-cleaner-scanner-'));
    others = createHandOver({ folder, makeFifo: makeFifoWith(helper.path), timing: SYSTEM_TIMING });
    coordinator = new FakeCoordinator();
    reader = new FakeReader(({ imageId: id }, abort) =>
      id === slow ? untilAborted(abort) : Promise.resolve({ kind: 'read', analysis: analysisOf(id) }),
    );
    bound = { kind: 'reader', reader, concurrency: 1 };
    slow = null;
    connectScanner = () => Promise.resolve(bound);
    runtimesClosed = 0;
    await writeConfig();
  });
  afterEach(() => rm(folder, { recursive: true }));

  function writeConfig(): Promise<void> {
    const config = { apiVersion: 'eraser.sh/v1alpha3', kind: 'EraserConfig', components: { scanner: { enabled: true } } };
    return writeFile(join(folder, 'config.yaml'), JSON.stringify(config));
  }

  async function run(...args: string[]): Promise<{ code: number; log: Record<string, unknown>[] }> {
    const lines: string[] = [];
    const code = await runProgram({
      args: ['trivy-scanner', `--config=${join(folder, 'config.yaml')}`, `--termination-log=${join(folder, 'ended')}`, ...args],
      env: { NODE_NAME: 'node-1' },
      paths: { exclusions: folder, imageList: folder, sharedData: folder },
      write: (line) => lines.push(line),
      now: Date.now,
      timing: SYSTEM_TIMING,
      signal,
      makeFifo: makeFifoWith(helper.path),
      connectRuntime: () => Promise.resolve(Object.assign(new FakeRuntime([image(1), image(2)]), { close: () => (runtimesClosed += 1) })),
      connectCoordinator: () => Promise.resolve(coordinator),
      connectLogs: () => Promise.resolve(null),
      connectScanner: () => connectScanner(),
    });
    return { code, log: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
  }

  /** Collector and remover, until the remover has read. */
  async function offer(images = [image(1), image(2), image(3)]): Promise<HandedVerdicts> {
    await others.offer(images, signal);
    return readHandedVerdicts({ handOver: others, scanner: 'trivy', log: logInTest().log, signal });
  }

  test('hands over what it found in each image that is there, and ends when the remover is done', async () => {
    const running = run();
    const { scanResults } = await offer();
    expect(scanResults.map(({ kind }) => kind)).toEqual(['scanned', 'scanned']);
    const ended = await Promise.race([running.then(() => 'ended'), SYSTEM_TIMING.sleep(200, signal).then(() => 'waits')]);
    expect(ended).toBe('waits');
    await others.releaseScanner(signal);
    expect((await running).code).toBe(0);
  });

  test('that cannot work says so, and waits for the remover all the same: nobody waits for it in turn', async () => {
    reader.probe = () => Promise.reject(new Error('no Trivy'));
    const running = run();
    await expect(offer()).rejects.toMatchObject({
      code: 'bad-message',
      message: expect.stringContaining('the scanner has failed: no Trivy') as string,
    });
    await others.releaseScanner(signal);
    const { code, log } = await running;
    expect(code).toBe(1);
    expect(log).toContainEqual(expect.objectContaining({ level: 'error', message: 'the scanner cannot work', error: 'no Trivy' }));
  });

  test('looks for its Trivy while the collector looks around, and looks again where that was in vain', async () => {
    let probes = 0;
    reader.probe = () => {
      probes += 1;
      return probes === 1 ? Promise.reject(new Error('busy')) : Promise.resolve({ name: 'trivy', version: '0.74.0' });
    };
    const running = run();
    await eventually(() => probes).toBe(1);
    expect((await offer()).scanResults.map(({ kind }) => kind)).toEqual(['scanned', 'scanned']);
    await others.releaseScanner(signal);
    expect((await running).code).toBe(0);
    expect([probes, runtimesClosed, reader.isClosed]).toEqual([2, 1, true]);
  });

  test('that has nothing to scan does not wait for its Trivy', async () => {
    const probes: AbortSignal[] = [];
    reader.probe = (until) => {
      probes.push(until);
      return untilAborted(until);
    };
    const running = run();
    await eventually(() => probes).toHaveLength(1);
    expect((await offer([image(3)])).scanResults).toEqual([]);
    await others.releaseScanner(signal);
    expect((await running).code).toBe(0);
    expect(probes.map(({ aborted }) => aborted)).toEqual([true]);
  });

  test('whose images no Trivy reads does not look for one', async () => {
    reader.unsupportedBecause = 'Trivy cannot read the image store of cri-o';
    reader.probe = () => Promise.reject(new Error('looked for'));
    const running = run();
    expect((await offer()).scanResults.map(({ kind }) => kind)).toEqual(['unscanned', 'unscanned']);
    await others.releaseScanner(signal);
    expect((await running).code).toBe(0);
  });

  test('that fails before it is offered anything says so when it is', async () => {
    let isMade = false;
    connectScanner = () => {
      isMade = true;
      return Promise.reject(new Error('no place'));
    };
    const running = run();
    await eventually(() => isMade && runtimesClosed).toBe(1);
    // A rejection that nobody handles would end it.
    await SYSTEM_TIMING.sleep(20, signal);
    await expect(offer()).rejects.toMatchObject({ message: expect.stringContaining('the scanner has failed: no place') as string });
    await others.releaseScanner(signal);
    expect((await running).code).toBe(1);
  });

  /** A whole run of the pod; gives what the remover was told. */
  async function runOnce(): Promise<HandedVerdicts & { readonly log: Record<string, unknown>[] }> {
    const running = run();
    const verdicts = await offer();
    await others.releaseScanner(signal);
    const { code, log } = await running;
    expect(code).toBe(0);
    await rm(folder, { recursive: true });
    await mkdir(folder);
    await writeConfig();
    return { ...verdicts, log };
  }

  test('reads once what the coordinator knows nothing of', async () => {
    const first = await runOnce();
    expect(first.reused).toBe(0);
    expect(coordinator.reports.map(({ imageId: id }) => id)).toEqual([imageId(1), imageId(2)]);
    const second = await runOnce();
    expect(second.reused).toBe(2);
    expect(second.scanResults).toEqual(first.scanResults);
    expect(reader.attempts).toEqual([imageId(1), imageId(2)]);
  });

  test('says what it cannot do without: a coordinator that refuses', async () => {
    coordinator.before = (call) => (call === 'exchangeScans' ? Promise.reject(new Error('refused')) : Promise.resolve());
    const running = run();
    await expect(offer()).rejects.toMatchObject({ message: expect.stringContaining('the scanner has failed: refused') as string });
    await others.releaseScanner(signal);
    expect((await running).code).toBe(1);
    expect(reader.attempts).toEqual([]);
  });

  test('without a coordinator it judges by a database of its own', async () => {
    const scanner = new FakeScanner(({ imageId: id }) =>
      Promise.resolve({ kind: 'scanned', report: report(image(1), { imageId: id }), analysis: null }),
    );
    bound = { kind: 'scanner', scanner, concurrency: 1 };
    const { scanResults } = await runOnce();
    expect(scanResults.map(({ kind }) => kind)).toEqual(['scanned', 'scanned']);
    expect(scanner.isClosed).toBe(true);
    expect(coordinator.exchanges).toEqual([]);
  });

  test.each([['--scan-time=1s'], ['--scan-time=1h', '--image-time=1s']])(
    'what is not scanned in time has no verdict: %s %s',
    async (...times) => {
      slow = imageId(2);
      // With both, nothing is read of the configuration.
      if (times.length === 2) await rm(join(folder, 'config.yaml'));
      const running = run(...times);
      const { verdictsOn } = await offer();
      expect([...verdictsOn([image(1), image(2)]).values()].map(({ kind }) => kind)).toEqual(['scanned', 'unscanned']);
      await others.releaseScanner(signal);
      expect((await running).code).toBe(0);
    },
  );
});
