import { ConnectError, Code } from '@connectrpc/connect';
import { describe, expect, test } from 'vitest';
import { connectInTest } from '../../test/fakes/connect-in-test.ts';
import type { RetryTiming } from './retry.ts';
import { CONTAINERD, startTestRuntime } from '../../test/fakes/test-runtime-server.ts';

const signal = AbortSignal.timeout(30_000);

/** A clock that only sleeping moves. */
function skippingTime(): RetryTiming & { slept: number } {
  const timing = {
    slept: 0,
    now: () => timing.slept,
    sleep: (ms: number) => {
      timing.slept += ms;
      return new Promise<void>((resolve) => setImmediate(resolve));
    },
    random: () => 1,
  };
  return timing;
}

describe('calls', () => {
  test('survive a restart of the runtime between them', async () => {
    await using server = await startTestRuntime(CONTAINERD, { images: { listImages: () => ({ images: [{ id: 'sha256:1' }] }) } });
    using runtime = await connectInTest({ socketPath: server.socketPath }, signal);
    expect(await runtime.listImages(signal)).toHaveLength(1);
    await server.stop();
    const listing = runtime.listImages(signal);
    await server.start();
    expect(await listing).toHaveLength(1);
  });

  test('survive a restart of the runtime in the middle of one, but a removal is not repeated', async () => {
    const asked: string[] = [];
    let started = Promise.withResolvers<undefined>();
    const answerSecond = (call: string) => {
      asked.push(call);
      if (asked.filter((other) => other === call).length > 1) return {};
      started.resolve(undefined);
      return new Promise<never>(() => undefined);
    };
    await using server = await startTestRuntime(CONTAINERD, {
      images: { imageStatus: () => answerSecond('status'), removeImage: () => answerSecond('remove') },
    });
    using runtime = await connectInTest({ socketPath: server.socketPath }, signal);

    const status = runtime.imageStatus('sha256:1', signal);
    await started.promise;
    await server.stop();
    await server.start();
    expect(await status).toBeNull();
    expect(asked).toEqual(['status', 'status']);

    started = Promise.withResolvers<undefined>();
    const removal = runtime.removeImage('sha256:1', signal);
    const failure = expect(removal).rejects.toMatchObject({ code: 'unavailable', action: 'retry' });
    await started.promise;
    await server.stop();
    await server.start();
    await failure;
    await runtime.removeImage('sha256:1', signal);
    expect(asked).toEqual(['status', 'status', 'remove', 'remove']);
  });

  test('give up when the runtime stays away, once the budget is used', async () => {
    const timing = skippingTime();
    await using server = await startTestRuntime(CONTAINERD, {});
    using runtime = await connectInTest({ socketPath: server.socketPath, timing, retryBudgetMs: 10_000 }, signal);
    await server.stop();
    const failure = runtime.listImages(signal);
    await expect(failure).rejects.toMatchObject({ code: 'unavailable', action: 'retry' });
    await expect(failure).rejects.toThrow(server.socketPath);
    expect(timing.slept).toBeGreaterThan(7_000);
    expect(timing.slept).toBeLessThanOrEqual(10_000);
    await server.start();
  });

  test('have a deadline', async () => {
    await using server = await startTestRuntime(CONTAINERD, { images: { listImages: () => new Promise<never>(() => undefined) } });
    using runtime = await connectInTest({ socketPath: server.socketPath, deadlineMs: 300 }, signal);
    await expect(runtime.listImages(signal)).rejects.toMatchObject({ code: 'deadline-exceeded' });
  });

  test('end with the reason of the abort', async () => {
    await using server = await startTestRuntime(CONTAINERD, { images: { listImages: () => new Promise<never>(() => undefined) } });
    using runtime = await connectInTest({ socketPath: server.socketPath }, signal);
    const reason = new Error('stop');
    await expect(runtime.listImages(AbortSignal.abort(reason))).rejects.toBe(reason);
    const aborting = new AbortController();
    const listing = runtime.listImages(aborting.signal);
    setTimeout(() => {
      aborting.abort(reason);
    }, 50);
    await expect(listing).rejects.toBe(reason);
  });

  test('are not repeated when the runtime answers with an error', async () => {
    let asked = 0;
    const listImages = () => {
      asked += 1;
      throw new ConnectError('disk on fire', Code.Internal);
    };
    await using server = await startTestRuntime(CONTAINERD, { images: { listImages } });
    using runtime = await connectInTest({ socketPath: server.socketPath }, signal);
    const failure = runtime.listImages(signal);
    await expect(failure).rejects.toMatchObject({ code: 'call-failed', action: 'give-up' });
    await expect(failure).rejects.toThrow(/ListImages.*disk on fire/);
    expect(asked).toBe(1);
  });

  test('take answers over 4 MB, the default limit of gRPC', async () => {
    const images = Array.from({ length: 20_000 }, (_, index) => ({
      id: `sha256:${String(index).padStart(64, '0')}`,
      repoTags: [`registry.example.com/team/${'x'.repeat(300)}:${String(index)}`],
    }));
    await using server = await startTestRuntime(CONTAINERD, { images: { listImages: () => ({ images }) } });
    using runtime = await connectInTest({ socketPath: server.socketPath }, signal);
    expect(await runtime.listImages(signal)).toHaveLength(20_000);
  });
});
