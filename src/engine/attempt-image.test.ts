import { describe, expect, test } from 'vitest';
import { FakeRuntime } from '../../test/fakes/fake-runtime.ts';
import { image, report } from '../../test/fakes/images.ts';
import type { ScanAttempt } from '../api/scan-report.ts';
import { scannerFault } from '../scan/scanner-fault.ts';
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

  describe('that finds no runtime', () => {
    const signals: AttemptSignals = { signal: never, total: never };
    const patient = { ...limits, perImageTimeoutMs: 10_000 };
    const read = { kind: 'scanned', report: report(one), analysis: null } as const;
    const away = scannerFault('runtime-unreachable', 'Trivy cannot scan: connection refused');

    test('is repeated once that answers again', async () => {
      const runtime = new FakeRuntime([one]);
      const order: string[] = [];
      runtime.before = (call) => {
        order.push(call);
        return Promise.resolve();
      };
      const attempt = (): Promise<ScanAttempt> => {
        order.push('attempt');
        return order.length === 1 ? Promise.reject(away) : Promise.resolve(read);
      };
      expect(await attemptImage({ runtime, limits: patient, attempt }, one, signals)).toEqual(read);
      expect(order).toEqual(['attempt', `imageStatus ${one.id}`, 'attempt']);
    });

    test('ends as that does, when it stays away', async () => {
      const runtime = new FakeRuntime([one]);
      runtime.before = () => Promise.reject(new Error('the runtime does not answer'));
      let attempts = 0;
      const attempt = (): Promise<ScanAttempt> => {
        attempts += 1;
        return Promise.reject(away);
      };
      await expect(attemptImage({ runtime, limits: patient, attempt }, one, signals)).rejects.toBe(away);
      expect(attempts).toBe(1);
    });

    test('is a fault where the scanner alone never reaches it; another fault is one at once', async () => {
      const runtime = new FakeRuntime([one]);
      const reject = async (fault: Error): Promise<number> => {
        let attempts = 0;
        const attempt = (): Promise<ScanAttempt> => {
          attempts += 1;
          return Promise.reject(fault);
        };
        await expect(attemptImage({ runtime, limits: patient, attempt }, one, signals)).rejects.toBe(fault);
        return attempts;
      };
      expect(await reject(away)).toBe(3);
      expect(await reject(scannerFault('server-unreachable', 'no server'))).toBe(1);
    });
  });

  test('is none where the run is over before', async () => {
    const attempt = (): Promise<ScanAttempt> => Promise.resolve({ kind: 'scanned', report: report(one), analysis: null });
    const signals: AttemptSignals = { signal: AbortSignal.abort(new Error('stopped')), total: never };
    await expect(attemptImage({ runtime: new FakeRuntime([one]), limits, attempt }, one, signals)).rejects.toThrow('stopped');
  });
});
