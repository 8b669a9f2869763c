import { describe, expect, test } from 'vitest';
import { FakeRuntime } from '../../test/fakes/fake-runtime.ts';
import { image, report } from '../../test/fakes/images.ts';
import type { ScanAttempt } from '../api/scan-report.ts';
import { attemptImage, type AttemptSignals } from './attempt-image.ts';

const one = image(1);
const [scannedName = ''] = one.repoTags;
const BROKEN: ScanAttempt = { kind: 'unparsable', error: 'invalid tar header', scannedName };

/** Beside what the tests of those who use it show. */
describe('an attempt at an image', () => {
  const never = new AbortController().signal;
  const limits = { perImageTimeoutMs: 30, totalTimeoutMs: 60_000 };

  test('under a name that meant another image at first is none of this one, though it means this one again', async () => {
    const runtime = new FakeRuntime([one]);
    let attempts = 0;
    const attempt = (): Promise<ScanAttempt> => {
      attempts += 1;
      runtime.images.set(one.id, { ...one, repoTags: attempts === 1 ? [] : one.repoTags });
      return Promise.resolve(BROKEN);
    };
    const signals: AttemptSignals = { signal: never, total: never };
    expect(await attemptImage({ runtime, limits: { ...limits, perImageTimeoutMs: 10_000 }, attempt }, one, signals)).toMatchObject({
      kind: 'unscanned',
      reason: 'report-for-another-image',
    });
  });

  test.each(['this image', 'all images'])(
    'that ends for a stop is no want of time, though the time for %s is up by then',
    async (whose) => {
      const [stop, total] = [new AbortController(), new AbortController()];
      const attempt = async (): Promise<ScanAttempt> => {
        stop.abort(new Error('stopped'));
        if (whose === 'all images') total.abort();
        // A program takes a while to end.
        await new Promise((resolve) => setTimeout(resolve, 60));
        throw stop.signal.reason;
      };
      const signals: AttemptSignals = { signal: stop.signal, total: total.signal };
      await expect(attemptImage({ runtime: new FakeRuntime([one]), limits, attempt }, one, signals)).rejects.toThrow('stopped');
    },
  );

  test('is none where the run is over before', async () => {
    const attempt = (): Promise<ScanAttempt> => Promise.resolve({ kind: 'scanned', report: report(one), analysis: null });
    const signals: AttemptSignals = { signal: AbortSignal.abort(new Error('stopped')), total: never };
    await expect(attemptImage({ runtime: new FakeRuntime([one]), limits, attempt }, one, signals)).rejects.toThrow('stopped');
  });
});
