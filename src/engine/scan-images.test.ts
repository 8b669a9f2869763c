import { describe, expect, test } from 'vitest';
import { FakeScanRecords } from '../../test/fakes/fake-records.ts';
import { FakeRuntime } from '../../test/fakes/fake-runtime.ts';
import { FakeScanner, untilAborted } from '../../test/fakes/fake-scanner.ts';
import { image, report } from '../../test/fakes/images.ts';
import type { ImageAnalysis, ScanAttempt, ScanReport, ScanResults } from '../api/scan-report.ts';
import { scanImages, type ScanImagesOptions } from './scan-images.ts';

const images = [1, 2, 3, 4].map((number) => image(number));
const [one] = images as [(typeof images)[0]];
const clean = (imageId: string): ScanAttempt => ({ kind: 'scanned', report: report(image(0, { id: imageId })), analysis: null });

function scanAll(scanner: FakeScanner, options: Partial<ScanImagesOptions> = {}): Promise<ScanResults> {
  return scanImages({
    scanner,
    runtime: new FakeRuntime(images),
    records: null,
    images,
    limits: { concurrency: 2, perImageTimeoutMs: 10_000, totalTimeoutMs: 10_000 },
    onEvent: () => undefined,
    signal: new AbortController().signal,
    ...options,
  });
}

describe('scanImages', () => {
  test('gives one result per image, with no more scans at once than allowed', async () => {
    const scanner = new FakeScanner(async ({ imageId }) => {
      await new Promise((resolve) => setImmediate(resolve));
      return clean(imageId);
    });
    const results = await scanAll(scanner);
    expect([...results.values()].map(({ kind }) => kind)).toEqual(images.map(() => 'scanned'));
    expect(scanner.mostAtOnce).toBe(2);
  });

  test('does not ask the scanner anything when there is nothing to scan', async () => {
    const scanner = new FakeScanner(() => Promise.reject(new Error('not to be asked')));
    scanner.probe = () => Promise.reject(new Error('not to be probed'));
    expect((await scanAll(scanner, { images: [] })).size).toBe(0);
  });

  test('asks nothing of a scanner that cannot read this runtime', async () => {
    const scanner = new FakeScanner(() => Promise.reject(new Error('not to be asked')));
    scanner.probe = () => Promise.reject(new Error('not to be probed'));
    scanner.unsupportedBecause = 'cannot read the image store of cri-o';
    const results = await scanAll(scanner);
    expect([...results.values()]).toEqual(
      images.map(() => ({ kind: 'unscanned', reason: 'unsupported-runtime', message: 'cannot read the image store of cri-o' })),
    );
  });

  test('a fault of the scanner ends the others and is thrown: there are no partial results', async () => {
    const fault = new Error('no database');
    let others = 0;
    const scanner = new FakeScanner(({ imageId }, signal) => {
      if (imageId === one.id) return Promise.reject(fault);
      others += 1;
      return untilAborted(signal);
    });
    await expect(scanAll(scanner)).rejects.toBe(fault);
    expect(others).toBe(1);
  });

  test('a fault that the probe finds is thrown before any scan', async () => {
    const scanner = new FakeScanner(({ imageId }) => Promise.resolve(clean(imageId)));
    scanner.probe = () => Promise.reject(new Error('no binary'));
    await expect(scanAll(scanner)).rejects.toThrow('no binary');
    expect(scanner.attempts).toEqual([]);
  });

  test('an image whose scan takes too long is unscanned, the rest goes on', async () => {
    const scanner = new FakeScanner(({ imageId }, signal) => (imageId === one.id ? untilAborted(signal) : Promise.resolve(clean(imageId))));
    const results = await scanAll(scanner, { limits: { concurrency: 2, perImageTimeoutMs: 30, totalTimeoutMs: 10_000 } });
    expect(results.get(one.id)).toMatchObject({ kind: 'unscanned', reason: 'timeout' });
    expect([...results.values()].filter(({ kind }) => kind === 'scanned')).toHaveLength(3);
  });

  test('when the time for all is up, what has no result is unscanned', async () => {
    const scanner = new FakeScanner((_target, signal) => untilAborted(signal));
    const results = await scanAll(scanner, { limits: { concurrency: 2, perImageTimeoutMs: 10_000, totalTimeoutMs: 30 } });
    expect([...results.values()]).toEqual(
      images.map(() => expect.objectContaining({ kind: 'unscanned', reason: 'total-timeout' }) as unknown),
    );
  });

  test('an interrupt ends all scans and is thrown', async () => {
    const interrupt = new AbortController();
    const scanner = new FakeScanner((_target, signal) => {
      interrupt.abort(new Error('interrupted'));
      return untilAborted(signal);
    });
    await expect(scanAll(scanner, { signal: interrupt.signal })).rejects.toThrow('interrupted');
  });

  describe('an image that does not parse', () => {
    const scannedName = one.repoTags[0] ?? '';
    const broken: ScanAttempt = { kind: 'unparsable', error: 'invalid tar header', scannedName };

    test('is unscannable when its content is complete and a second attempt fails alike', async () => {
      const scanner = new FakeScanner(() => Promise.resolve(broken));
      const results = await scanAll(scanner, { images: [one] });
      expect(results.get(one.id)).toEqual({ kind: 'unscannable', error: 'invalid tar header' });
      expect(scanner.attempts).toEqual([one.id, one.id]);
    });

    test('is unscanned when its content is incomplete, or that cannot be told', async () => {
      for (const complete of [false, null]) {
        const runtime = new FakeRuntime(images);
        runtime.isContentComplete = () => Promise.resolve(complete);
        const results = await scanAll(new FakeScanner(() => Promise.resolve(broken)), { images: [one], runtime });
        expect(results.get(one.id)).toMatchObject({ kind: 'unscanned', reason: 'scan-failed' });
      }
    });

    test('is unscanned when the name that was scanned means another image by then', async () => {
      for (const movedBefore of [1, 2]) {
        const runtime = new FakeRuntime(images);
        const scanner = new FakeScanner((_target, _signal, attempt) => {
          if (attempt === movedBefore) runtime.images.set(one.id, { ...one, repoTags: [] });
          return Promise.resolve(broken);
        });
        const results = await scanAll(scanner, { images: [one], runtime });
        expect(results.get(one.id)).toMatchObject({ kind: 'unscanned', reason: 'report-for-another-image' });
      }
    });

    test('is unscanned when the second attempt fails differently, and scanned when it succeeds', async () => {
      const differently = new FakeScanner((_target, _signal, attempt) =>
        Promise.resolve({ kind: 'unparsable', error: `error ${String(attempt)}`, scannedName }),
      );
      expect((await scanAll(differently, { images: [one] })).get(one.id)).toMatchObject({ kind: 'unscanned', reason: 'scan-failed' });
      const recovers = new FakeScanner(({ imageId }, _signal, attempt) => Promise.resolve(attempt === 1 ? broken : clean(imageId)));
      expect((await scanAll(recovers, { images: [one] })).get(one.id)).toMatchObject({ kind: 'scanned' });
    });
  });
});

describe('scanImages with records of earlier scans', () => {
  const two = images[1] as (typeof images)[0];
  const analysisOf = (imageId: string): ImageAnalysis => ({
    imageId,
    scannerName: 'fake',
    scannerVersion: '1',
    parts: [],
    recipe: new Uint8Array(),
  });
  const judged = (databaseUpdatedAt: string | null, imageId: string): ScanReport =>
    report(image(0, { id: imageId }), { scanner: { name: 'fake', version: '1', databaseUpdatedAt, databaseMark: databaseUpdatedAt } });
  /** Scans and gives an analysis to keep. */
  const scannerOf = (databaseUpdatedAt: string | null): FakeScanner => {
    const scanner = new FakeScanner(({ imageId }) =>
      Promise.resolve({ kind: 'scanned', report: judged(databaseUpdatedAt, imageId), analysis: analysisOf(imageId) }),
    );
    scanner.databaseUpdatedAt = databaseUpdatedAt;
    return scanner;
  };

  test('a second run with the same database asks nothing of the scanner but who it is', async () => {
    const records = new FakeScanRecords();
    await scanAll(scannerOf('monday'), { records });
    const again = scannerOf('monday');
    const events: string[] = [];
    const results = await scanAll(again, { records, onEvent: ({ kind }) => events.push(kind) });
    expect(results.size).toBe(images.length);
    expect([again.attempts, again.evaluated, events]).toEqual([[], [], ['verdicts-known']]);
  });

  test('another database judges what was read before, without a scan, and the verdict is kept', async () => {
    const records = new FakeScanRecords();
    await scanAll(scannerOf('monday'), { records });
    const tuesday = scannerOf('tuesday');
    tuesday.judge = ({ imageId }) => judged('tuesday', imageId);
    const results = await scanAll(tuesday, { records });
    expect([...results.values()].map((result) => result.kind === 'scanned' && result.report.scanner.databaseUpdatedAt)).toEqual(
      images.map(() => 'tuesday'),
    );
    expect([tuesday.attempts, tuesday.evaluated]).toEqual([[], images.map(({ id }) => id)]);
    const again = scannerOf('tuesday');
    await scanAll(again, { records });
    expect([again.attempts, again.evaluated]).toEqual([[], []]);
  });

  test('what the scanner cannot judge from before is scanned', async () => {
    const records = new FakeScanRecords();
    await scanAll(scannerOf('monday'), { records });
    const tuesday = scannerOf('tuesday');
    tuesday.judge = ({ imageId }) => (imageId === one.id ? null : judged('tuesday', imageId));
    expect((await scanAll(tuesday, { records })).size).toBe(images.length);
    expect(tuesday.attempts).toEqual([one.id]);
  });

  test('a verdict on another image is none', async () => {
    const records = new FakeScanRecords();
    await scanAll(scannerOf('monday'), { records });
    const tuesday = scannerOf('tuesday');
    tuesday.judge = () => judged('tuesday', two.id);
    await scanAll(tuesday, { records });
    expect(tuesday.attempts.sort()).toEqual(images.map(({ id }) => id).filter((id) => id !== two.id));
  });

  test('only reports are kept: an image without a verdict, or unscannable, is scanned again', async () => {
    const records = new FakeScanRecords();
    const failing = new FakeScanner(({ imageId }) =>
      Promise.resolve(
        imageId === one.id
          ? { kind: 'unparsable', error: 'bad database of packages', scannedName: images[0]?.repoTags[0] ?? '' }
          : { kind: 'unscanned', reason: 'killed', message: 'killed' },
      ),
    );
    expect([...(await scanAll(failing, { records })).values()].map(({ kind }) => kind).sort()).toEqual([
      'unscannable',
      'unscanned',
      'unscanned',
      'unscanned',
    ]);
    const again = scannerOf(null);
    await scanAll(again, { records });
    expect(again.attempts).toHaveLength(images.length);
  });

  test('the time for all scans bounds the judging of what was read before, too', async () => {
    const records = new FakeScanRecords();
    await scanAll(scannerOf('monday'), { records });
    const tuesday = scannerOf('tuesday');
    tuesday.evaluate = (_analyses, signal) => untilAborted(signal);
    const results = await scanAll(tuesday, { records, limits: { concurrency: 2, perImageTimeoutMs: 10_000, totalTimeoutMs: 50 } });
    expect([...results.values()].map((result) => result.kind === 'unscanned' && result.reason)).toEqual(images.map(() => 'total-timeout'));
    expect(tuesday.attempts).toEqual([]);
  });
});
