import { describe, expect, test } from 'vitest';
import { FakeCoordinator } from '../../test/fakes/fake-coordinator.ts';
import { FakeRuntime } from '../../test/fakes/fake-runtime.ts';
import { FakeTiming } from '../../test/fakes/fake-timing.ts';
import { image } from '../../test/fakes/images.ts';
import { lookAhead } from './look-ahead.ts';

function setUp() {
  const stop = new AbortController();
  const options = {
    coordinator: new FakeCoordinator(),
    runtime: new FakeRuntime([image(1)]),
    timing: new FakeTiming(),
    signal: stop.signal,
  };
  return { ...options, options, stop };
}

describe('looking ahead', () => {
  test('reads the task, and what of the node the adapter of the runtime keeps', async () => {
    const { options, coordinator, runtime, timing } = setUp();
    const looking = lookAhead(options);
    await timing.advance(1_000);
    expect(await looking).toBe(coordinator.task);
    expect([...new Set(runtime.calls)]).toEqual([
      'version',
      'listImages',
      'listContainers',
      'sandboxImageReferences',
      expect.stringMatching(/^imageStorage/),
    ]);
  });

  test('asks nobody where the verdicts come soon', async () => {
    const { options, coordinator, runtime, timing, stop } = setUp();
    coordinator.before = () => Promise.reject(new Error('asked'));
    const looking = lookAhead(options);
    await timing.advance(999);
    stop.abort(new Error('the verdicts are here'));
    expect([await looking, runtime.calls]).toEqual([null, []]);
  });

  test('a runtime that is away is no fault yet', async () => {
    const { options, coordinator, runtime, timing } = setUp();
    runtime.before = () => Promise.reject(new Error('away'));
    const looking = lookAhead(options);
    await timing.advance(1_000);
    expect(await looking).toBe(coordinator.task);
  });
});
