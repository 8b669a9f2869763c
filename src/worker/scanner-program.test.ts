import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FakeRuntime } from '../../test/fakes/fake-runtime.ts';
import { FakeScanner, untilAborted } from '../../test/fakes/fake-scanner.ts';
import { image, imageId, report } from '../../test/fakes/images.ts';
import { logInTest } from '../../test/fakes/log-in-test.ts';
import { buildMkfifoHelper, type MkfifoHelper } from '../../test/fakes/mkfifo-helper.ts';
import { SYSTEM_TIMING } from '../platform/timing.ts';
import { createHandOver, type HandOver } from './hand-over.ts';
import { makeFifoWith } from './make-fifo.ts';
import { runProgram } from './program.ts';
import { readHandedVerdicts, type HandedVerdicts } from './read-handed-verdicts.ts';

/** Our scanner from its arguments to its exit code, with real files and pipes; runtime and Trivy are doubles. */
describe('the scanner', () => {
  const { signal } = new AbortController();
  let helper: MkfifoHelper;
  let folder: string;
  let others: HandOver;
  let scanner: FakeScanner;
  /** The image whose scan does not end by itself. */
  let slow: string | null;

  beforeAll(async () => {
    helper = await buildMkfifoHelper();
  }, 120_000);
  afterAll(() => helper.remove());
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'image-cleaner-scanner-'));
    others = createHandOver({ folder, makeFifo: makeFifoWith(helper.path), timing: SYSTEM_TIMING });
    scanner = new FakeScanner(({ imageId: id }, abort) =>
      id === slow ? untilAborted(abort) : Promise.resolve({ kind: 'scanned', report: report(image(1), { imageId: id }), analysis: null }),
    );
    slow = null;
    const config = { apiVersion: 'eraser.sh/v1alpha3', kind: 'EraserConfig', components: { scanner: { enabled: true } } };
    await writeFile(join(folder, 'config.yaml'), JSON.stringify(config));
  });
  afterEach(() => rm(folder, { recursive: true }));

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
      connectRuntime: () => Promise.resolve(Object.assign(new FakeRuntime([image(1), image(2)]), { close: () => undefined })),
      connectCoordinator: () => Promise.reject(new Error('a scanner asks nothing of the run')),
      connectLogs: () => Promise.resolve(null),
      connectScanner: () => Promise.resolve({ scanner, concurrency: 1 }),
    });
    return { code, log: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
  }

  /** Collector and remover, until the remover has read. */
  async function offer(): Promise<HandedVerdicts> {
    await others.offer([image(1), image(2), image(3)], signal);
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
    scanner.probe = () => Promise.reject(new Error('no database'));
    const running = run();
    await expect(offer()).rejects.toMatchObject({
      code: 'bad-message',
      message: expect.stringContaining('the scanner has failed: no database') as string,
    });
    await others.releaseScanner(signal);
    const { code, log } = await running;
    expect(code).toBe(1);
    expect(log).toContainEqual(expect.objectContaining({ level: 'error', message: 'the scanner cannot work', error: 'no database' }));
  });

  test('what is not scanned within the time of the run has no verdict', async () => {
    slow = imageId(2);
    const running = run('--scan-time=1s');
    const { verdictsOn } = await offer();
    expect([...verdictsOn([image(1), image(2)]).values()].map(({ kind }) => kind)).toEqual(['scanned', 'unscanned']);
    await others.releaseScanner(signal);
    expect((await running).code).toBe(0);
  });
});
