import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { image, imageId } from '../../test/fakes/images.ts';
import { buildMkfifoHelper, type MkfifoHelper } from '../../test/fakes/mkfifo-helper.ts';
import { SYSTEM_TIMING } from '../platform/timing.ts';
import { createHandOver, PIPES, type HandOver, type OfferReader } from './hand-over.ts';
import { formatImages } from './hand-over-message.ts';
import { makeFifoWith } from './make-fifo.ts';
import { writeFifo } from './write-fifo.ts';

/** All three parts in one process, over the kernel's own pipes. */
describe('the hand-over', () => {
  let helper: MkfifoHelper;
  let folder: string;
  let handOver: HandOver;
  const never = new AbortController().signal;

  beforeAll(async () => {
    helper = await buildMkfifoHelper();
  }, 120_000);
  afterAll(() => helper.remove());
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'image-cleaner-hand-over-'));
    handOver = createHandOver({ folder, makeFifo: makeFifoWith(helper.path), timing: SYSTEM_TIMING });
  });
  afterEach(() => rm(folder, { recursive: true }));

  test.each([
    ['a link', (path: string) => symlink('/etc/passwd', path)],
    ['a pipe', (path: string) => makeFifoWith(helper.path)([path], never)],
    ['a folder', (path: string) => mkdir(path)],
  ])('%s in the place of what was offered is refused, and read by nobody', async (_, make) => {
    await make(join(folder, 'offered.json'));
    await expect(handOver.readOffered()).rejects.toMatchObject({
      code: 'bad-message',
      message: expect.not.stringContaining('root') as string,
    });
  });

  async function collect(reader: OfferReader = 'scanner'): Promise<void> {
    await handOver.open(reader, never);
    await handOver.offer([image(1), image(2)], never);
    await handOver.awaitCollectorRelease(never);
  }
  async function scan(): Promise<string[]> {
    await handOver.openScanner(never);
    const offered = await handOver.readOffer(never);
    await handOver.writeScan(formatImages([image(2)]), never);
    await handOver.awaitScannerRelease(never);
    return offered.map((found) => found.imageId);
  }
  async function remove(): Promise<string> {
    const text = await handOver.readScan(never);
    expect((await handOver.readOffered()).map((found) => found.imageId)).toEqual([imageId(1), imageId(2)]);
    await Promise.all([handOver.releaseCollector(never), handOver.releaseScanner(never)]);
    return text;
  }

  test.each(['collector, scanner, remover', 'remover, scanner, collector', 'scanner, remover, collector'])(
    'in whatever order the containers start: %s',
    async (order) => {
      const parts = { collector: collect, scanner: scan, remover: remove };
      const started = order.split(', ').map(async (name, at) => {
        await SYSTEM_TIMING.sleep(at * 100, never);
        return [name, await parts[name as keyof typeof parts]()] as const;
      });
      expect(Object.fromEntries(await Promise.all(started))).toEqual({
        collector: undefined,
        scanner: [imageId(1), imageId(2)],
        remover: formatImages([image(2)]),
      });
    },
  );

  test.each([
    ['scanner', [PIPES.collectScan, PIPES.eraseCompleteCollect]],
    ['remover', [PIPES.eraseCompleteCollect, PIPES.scanErase]],
    ['scanner-of-another', [PIPES.eraseCompleteCollect]],
  ] as const)('the pipes that a %s finds before anything is offered', async (reader, pipes) => {
    await handOver.open(reader, never);
    expect((await readdir(folder)).sort()).toEqual(pipes);
  });

  test('a reader of ours that waits for a pipe has what is written at once', async () => {
    await handOver.open('scanner', never);
    await handOver.openScanner(never);
    const asleep: number[] = [];
    const timing = { sleep: (ms: number) => Promise.resolve(void asleep.push(ms)) };
    const writer = createHandOver({ folder, makeFifo: makeFifoWith(helper.path), timing });
    const offered = handOver.readOffer(never);
    const told = handOver.readScan(never);
    await SYSTEM_TIMING.sleep(50, never);
    await writer.offer([image(1)], never);
    await writer.writeScan('[]', never);
    expect([(await offered).length, await told, asleep]).toEqual([1, '[]', []]);
  });

  test('again in the same folder, as after a restart of the containers', async () => {
    for (let run = 0; run < 2; run += 1) {
      expect(await Promise.all([collect(), scan(), remove()])).toEqual([undefined, [imageId(1), imageId(2)], formatImages([image(2)])]);
    }
  });

  test('without a scanner the collector tells the remover itself', async () => {
    await handOver.open('remover', never);
    const [text] = await Promise.all([handOver.readScan(never), handOver.offerToRemove([image(1)], never)]);
    expect(text).toBe(formatImages([image(1)]));
    expect(await handOver.readOffered()).toHaveLength(1);
    await Promise.all([handOver.releaseCollector(never), handOver.awaitCollectorRelease(never)]);
  });

  test('what was offered cannot be told: refused', async () => {
    await expect(handOver.readOffered()).rejects.toMatchObject({ code: 'bad-message' });
  });

  test('an end that is not the word for it is refused', async () => {
    await handOver.open('scanner', never);
    const waiting = handOver.awaitCollectorRelease(never);
    await writeFifo(join(folder, PIPES.eraseCompleteCollect), 'comp', { timing: SYSTEM_TIMING, signal: never });
    await expect(waiting).rejects.toMatchObject({ code: 'bad-message' });
  });
});
