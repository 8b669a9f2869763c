import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FakeCoordinator } from '../../test/fakes/fake-coordinator.ts';
import { FakeLogSink } from '../../test/fakes/fake-log-sink.ts';
import { FakeRuntime } from '../../test/fakes/fake-runtime.ts';
import { container, image, imageId } from '../../test/fakes/images.ts';
import { buildMkfifoHelper, type MkfifoHelper } from '../../test/fakes/mkfifo-helper.ts';
import { FROZEN_KEYS, freezeExclusions, freezeImageList } from '../api/frozen-lists.ts';
import { SYSTEM_TIMING } from '../platform/timing.ts';
import { createHandOver } from './hand-over.ts';
import { makeFifoWith } from './make-fifo.ts';
import { runProgram } from './program.ts';
import type { WorkerContext } from './worker-context.ts';
import { WorkerError } from './worker-error.ts';

const NOW = Date.UTC(2026, 10, 1);

/** The remover from its arguments to its exit code, with real files and pipes; runtime and coordinator are doubles. */
describe('the remover', () => {
  let helper: MkfifoHelper;
  let folder: string;
  let runtime: FakeRuntime;
  let coordinator: FakeCoordinator;
  let stop: AbortController;
  let logs: FakeLogSink;

  beforeAll(async () => {
    helper = await buildMkfifoHelper();
  }, 120_000);
  afterAll(() => helper.remove());
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'image-cleaner-remover-'));
    runtime = new FakeRuntime([image(1), image(2), image(3)]);
    runtime.containers = [container(1, [imageId(1)])];
    coordinator = new FakeCoordinator();
    stop = new AbortController();
    logs = new FakeLogSink();
    await mount('exclusions', FROZEN_KEYS.exclusions, freezeExclusions([]));
    await mount('image-list', FROZEN_KEYS.imageList, freezeImageList(['*']));
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function mount(name: string, key: string, parts: readonly string[]): Promise<void> {
    for (const [part, text] of parts.entries()) {
      await mkdir(join(folder, name, String(part)), { recursive: true });
      await writeFile(join(folder, name, String(part), key), text);
    }
  }

  const surroundings = (): Pick<WorkerContext, 'makeFifo' | 'timing'> => ({ makeFifo: makeFifoWith(helper.path), timing: SYSTEM_TIMING });
  const manual = ['--run=manual', '--exclusions=1', '--image-list=1'];

  async function run(
    args: readonly string[],
    bound: FakeCoordinator | null = coordinator,
    connect: WorkerContext['connectCoordinator'] = () => Promise.resolve(bound),
  ) {
    const lines: string[] = [];
    const code = await runProgram({
      ...surroundings(),
      args: ['remover', `--termination-log=${join(folder, 'ended')}`, ...args],
      env: { NODE_NAME: 'node-1' },
      paths: { exclusions: join(folder, 'exclusions'), imageList: join(folder, 'image-list'), sharedData: folder },
      write: (line) => lines.push(line),
      now: () => NOW,
      signal: stop.signal,
      connectRuntime: () => Promise.resolve(Object.assign(runtime, { close: () => undefined })),
      connectCoordinator: connect,
      connectLogs: () => Promise.resolve(logs),
      connectScanner: () => Promise.reject(new Error('a remover has no scanner')),
    });
    const totals = JSON.parse(await readFile(join(folder, 'ended'), 'utf8')) as Record<string, unknown>;
    return { code, totals, log: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
  }

  test('0: all is done; the totals are in the termination log, the result is with the coordinator', async () => {
    const { code, totals, log } = await run(manual);
    expect(code).toBe(0);
    expect(totals).toMatchObject({ state: 'completed', mode: 'manual', images: 3, removed: 2, keep: 1, failed: 0, reclaimedBytes: 2005 });
    expect(coordinator.results).toMatchObject([{ state: 'completed', mode: 'manual', startedAt: NOW, summary: { removed: 2 } }]);
    expect(coordinator.results[0]?.decisions.map(({ ruling, removal }) => [ruling.reason.code, removal?.state ?? null])).toEqual([
      ['in-use', null],
      ['listed', 'removed'],
      ['listed', 'removed'],
    ]);
    for (const line of log) expect(line).toMatchObject({ component: 'remover', node: 'node-1', time: '2026-11-01T00:00:00.000Z' });
  });

  test('1: one removal failed, the others are done and told', async () => {
    runtime.stubborn.add(imageId(3));
    const { code, totals, log } = await run(manual);
    expect(code).toBe(1);
    expect(totals).toMatchObject({ state: 'failed', message: '1 of 2 removals failed', removed: 1, failed: 1 });
    expect([...runtime.images.keys()]).toEqual([imageId(1), imageId(3)]);
    expect(log).toContainEqual(expect.objectContaining({ level: 'error', message: 'image not removed', imageId: imageId(3) }));
  });

  test('1: the runtime is away, and nothing was removed', async () => {
    runtime.before = () => Promise.reject(new Error('no runtime'));
    const { code, totals } = await run(manual);
    expect(code).toBe(1);
    expect(totals).toMatchObject({ state: 'failed', message: 'no runtime' });
    expect(coordinator.results).toMatchObject([{ state: 'failed', message: 'no runtime', decisions: [], summary: null }]);
  });

  test.each([
    ['no coordinator', ['--scanner=off', '--exclusions=1']],
    ['not told which scanner there is', ['--exclusions=1']],
    ['more exclusions than are mounted', ['--scanner=off', '--exclusions=2']],
  ])('2: an automatic run, with %s', async (what, args) => {
    const { code, totals } = await run(['--run=remover-only', ...args], what === 'no coordinator' ? null : coordinator);
    expect(code).toBe(2);
    expect(totals).toMatchObject({ state: 'refused' });
    expect(runtime.images.size).toBe(3);
  });

  test('143: stopped before the scanner has said anything', async () => {
    setTimeout(() => stop.abort(new Error('stopped by SIGTERM')), 300);
    const { code, totals } = await run(['--run=automatic', '--scanner=custom', '--exclusions=1']);
    expect(code).toBe(143);
    expect(totals).toMatchObject({ state: 'interrupted', message: 'stopped by SIGTERM' });
    expect(runtime.images.size).toBe(3);
    expect(coordinator.results).toMatchObject([{ state: 'interrupted' }]);
  });

  test('stopped with nothing removed, it does not hold the pod for a coordinator that is away', async () => {
    coordinator.before = async (call, signal) => {
      if (call === 'reportResult')
        await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('away'))));
    };
    setTimeout(() => stop.abort(new Error('stopped by SIGTERM')), 300);
    expect((await run(['--run=automatic', '--scanner=custom', '--exclusions=1'])).code).toBe(143);
    // Less than the 20 s for a result of removals.
  }, 15_000);

  test('an automatic run fails when its result is not taken, a manual one does not', async () => {
    coordinator.before = (call) => (call === 'reportResult' ? Promise.reject(new Error('away')) : Promise.resolve());
    expect((await run(['--run=remover-only', '--scanner=off', '--exclusions=1'])).code).toBe(1);
    expect(runtime.images.size).toBe(1);
    runtime.images.set(imageId(2), image(2));
    expect((await run(manual)).code).toBe(0);
    expect(runtime.images.size).toBe(1);
  });

  test('the coordinator has the log when it ends, line by line; without it all is the same but that', async () => {
    const { code, log } = await run(manual);
    expect(code).toBe(0);
    expect(logs.lines.map((line) => JSON.parse(line) as unknown)).toEqual(log);
    expect(logs.pieces[0]).toMatchObject({ container: 'remover', sequence: 0 });
    runtime.images.set(imageId(2), image(2));
    logs.before = () => Promise.reject(new Error('refused'));
    const without = await run(manual);
    expect(without.code).toBe(0);
    expect(without.log).toContainEqual(expect.objectContaining({ message: 'the rest of this log does not reach the coordinator' }));
    expect(runtime.images.size).toBe(1);
  });

  test('the others are told that it is done, also when there is no way to the coordinator', async () => {
    const others = createHandOver({ ...surroundings(), folder });
    const { signal } = new AbortController();
    await others.open('scanner-of-another', signal);
    await others.openScanner(signal);
    const ends = Promise.all([others.awaitCollectorRelease(signal), others.awaitScannerRelease(signal)]);
    const connect = (): Promise<never> => Promise.reject(new WorkerError({ code: 'bad-usage', message: 'no token file' }));
    const { code, totals } = await run(['--run=automatic', '--scanner=custom', '--exclusions=1'], null, connect);
    expect([code, totals['state'], totals['message']]).toEqual([2, 'refused', 'no token file']);
    await ends;
    expect(runtime.images.size).toBe(3);
  });

  test('the others are told that it is done, also when it refuses', async () => {
    const others = createHandOver({ ...surroundings(), folder });
    const { signal } = new AbortController();
    await others.open('scanner-of-another', signal);
    await others.openScanner(signal);
    const ends = Promise.all([others.awaitCollectorRelease(signal), others.awaitScannerRelease(signal)]);
    const running = run(['--run=automatic', '--scanner=custom', '--exclusions=1']);
    await others.writeScan('[{"image_id":', signal);
    expect((await running).code).toBe(3);
    await ends;
    expect(runtime.images.size).toBe(3);
  });
});
