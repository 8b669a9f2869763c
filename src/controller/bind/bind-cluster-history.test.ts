import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  ControllerInTest,
  podOf,
  reviewOf,
  RUN,
  startCoordinator,
  type CoordinatorInTest,
  type StartOptions,
} from '../../../test/fakes/coordinator-in-test.ts';
import { temporaryFolder } from '../../../test/fakes/history-in-test.ts';
import { image, imageId } from '../../../test/fakes/images.ts';
import { PATH, rawCall, type RawAnswer } from '../../../test/fakes/raw-call.ts';
import { lookAt, NEVER, nodeResults, removedOn } from '../../../test/fakes/node-results.ts';
import type { NodeRun } from '../../api/coordinator/coordinator-api.ts';
import { createLog } from '../../platform/log.ts';
import { SYSTEM_TIMING } from '../../platform/timing.ts';
import { bindClusterHistory, type BoundClusterHistory } from './bind-cluster-history.ts';

interface Served {
  readonly coordinator: CoordinatorInTest;
  readonly history: BoundClusterHistory;
  readonly path: string;
  readonly logged: string[];
}

/** A real coordinator that keeps what it is told in a history on the disk. */
async function serve(options: Pick<StartOptions, 'limits'> & { readonly path?: string } = {}): Promise<Served> {
  const { path = join(temporaryFolder(), 'volume', 'history.db'), ...more } = options;
  const logged: string[] = [];
  const log = createLog({ write: (line) => void logged.push(line), now: Date.now, fields: {}, least: () => 'info' });
  const history = await bindClusterHistory({
    place: { path },
    owner: { cluster: 'here', from: null },
    version: '1.2.3',
    timing: SYSTEM_TIMING,
    wallNow: Date.now,
    log,
  });
  onTestFinished(() => history.close());
  const controller = new ControllerInTest();
  const { images, results, logs } = history;
  const coordinator = await startCoordinator({ ...more, controller, server: { ports: { ...controller.ports, images, results, logs } } });
  return { coordinator, history, path, logged };
}

const post = (coordinator: CoordinatorInTest, call: 'results' | 'logs' | 'inventory', value: unknown): Promise<RawAnswer> =>
  rawCall(coordinator, { path: PATH(call), body: JSON.stringify(value) });

const RESULTS = nodeResults([removedOn(image(1))]);

describe('a coordinator over the history', () => {
  test('knows since when images are on a node', async () => {
    const { coordinator } = await serve();
    const report = lookAt([image(1), image(2)], [image(2)]);
    const before = Date.now();
    const first = await post(coordinator, 'inventory', report);
    expect(first.status, first.text).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const { text } = await post(coordinator, 'inventory', lookAt([image(1), image(3)]));
    const { now, histories } = JSON.parse(text) as {
      now: number;
      histories: { imageId: string; firstSeenAt: number; lastInUseAt: number | null }[];
    };
    expect(histories.map(({ imageId: id, lastInUseAt }) => [id, lastInUseAt])).toEqual([
      [imageId(1), null],
      [imageId(3), null],
    ]);
    const [old = 0, fresh = 0] = histories.map(({ firstSeenAt }) => firstSeenAt);
    expect(old).toBeGreaterThanOrEqual(before - 5);
    expect(now - old).toBeGreaterThanOrEqual(45);
    expect(now - fresh).toBeLessThan(now - old);
  });

  test('records results once, acknowledges them each time, and refuses others', async () => {
    const { coordinator, history } = await serve();
    const answers = await Promise.all(Array.from({ length: 6 }, () => post(coordinator, 'results', RESULTS)));
    expect(answers.map(({ text }) => text).sort()).toEqual([
      ...Array.from({ length: 5 }, () => '{"recorded":"before"}'),
      '{"recorded":"now"}',
    ]);
    expect(await history.readTotals(RUN.job)).toMatchObject({ nodes: 1, sums: { removed: 1 } });
    const other = await post(coordinator, 'results', nodeResults([]));
    expect([other.status, other.problem?.code]).toEqual([409, 'results-differ']);
  });

  test('that begins anew knows what the one before it was told', async () => {
    const first = await serve();
    await post(first.coordinator, 'results', RESULTS);
    await post(first.coordinator, 'logs', { container: 'remover', sequence: 0, lines: ['one'] });
    await first.history.close();
    const { coordinator, history } = await serve({ path: first.path });
    expect((await post(coordinator, 'results', RESULTS)).text).toBe('{"recorded":"before"}');
    expect(JSON.parse((await post(coordinator, 'logs', { container: 'remover', sequence: 0, lines: ['one'] })).text)).toMatchObject({
      nextSequence: 1,
    });
    const gap = await post(coordinator, 'logs', { container: 'remover', sequence: 2, lines: ['three'] });
    expect(gap.problem?.code).toBe('log-gap');
    expect(await history.readLogs(RUN)).toMatchObject([{ podName: 'worker-1', lines: ['one'] }]);
  });

  test('keeps a log up to its limit', async () => {
    const { coordinator, history } = await serve({ limits: { maxLogBytes: 2_500 } });
    const ask = async (sequence: number): Promise<unknown> =>
      JSON.parse((await post(coordinator, 'logs', { container: 'remover', sequence, lines: ['x'.repeat(1_000)] })).text);
    const isFull = [];
    for (const sequence of [0, 1, 2, 3]) isFull.push(await ask(sequence));
    expect(isFull).toMatchObject([{ isFull: false }, { isFull: false }, { isFull: false }, { isFull: true }]);
    expect(await history.readLogs(RUN)).toMatchObject([{ lines: { length: 3 }, missingPieces: 0 }]);
  });

  test('tells workers to come again while the history is away, and then takes what they bring', async () => {
    const { coordinator, history, path, logged } = await serve();
    const volume = dirname(path);
    renameSync(volume, `${volume}.away`);
    writeFileSync(volume, '');
    for (const answer of [await post(coordinator, 'results', RESULTS), await post(coordinator, 'inventory', lookAt([image(1)]))]) {
      expect(answer.status).toBeGreaterThanOrEqual(500);
      expect(answer.headers['retry-after']).toBe('2');
      expect(answer.text).not.toContain(path);
    }
    expect(history.fault).toMatchObject({ code: 'unreadable' });
    rmSync(volume);
    renameSync(`${volume}.away`, volume);
    await expect
      .poll(async () => (await post(coordinator, 'results', RESULTS)).text, { timeout: 10_000, interval: 300 })
      .toBe('{"recorded":"now"}');
    expect(history.fault).toBeNull();
    const told = logged.map((line) => JSON.parse(line) as { level: string; message: string; hint?: string });
    expect(told.map(({ level }) => level)).toEqual(['warn', 'info']);
    expect(told[0]?.hint).toMatch(/./);
  });

  test('takes the results of many nodes at once', async () => {
    const { coordinator, history } = await serve();
    const nodes: NodeRun[] = Array.from({ length: 60 }, (_, number) => ({ job: RUN.job, node: `node ${number}/ä` }));
    const { controller } = coordinator;
    for (const [number, run] of nodes.entries()) {
      controller.workerPods.push(podOf(`worker ${run.node}`, run.node, run));
      controller.reviews.set(`token.of.${number}`, reviewOf(`worker ${run.node}`, run.node, run.node));
    }
    const answers = await Promise.all(
      nodes.map((run, number) => {
        const body = JSON.stringify(nodeResults(Array.from({ length: 60 }, (_, at) => removedOn(image(at + number)))));
        return rawCall(coordinator, { path: PATH('results', run), token: `token.of.${number}`, body });
      }),
    );
    expect(answers.map(({ text }) => text)).toEqual(nodes.map(() => '{"recorded":"now"}'));
    expect(await history.readTotals(RUN.job)).toMatchObject({ nodes: 60, sums: { removed: 3_600 } });
    expect(await history.results.recordedDigest({ job: RUN.job, node: 'node 7/ä' }, NEVER)).toMatch(/^[0-9a-f]{64}$/);
  });
});

test('a damaged file ends the start, with what to do', async () => {
  const path = join(temporaryFolder(), 'history.db');
  writeFileSync(path, 'no history '.repeat(1_000));
  await expect(serve({ path })).rejects.toMatchObject({ code: 'foreign', hint: expect.stringMatching(/./) as string });
});
