import { describe, expect, test } from 'vitest';
import { FakeRuntime } from '../../test/fakes/fake-runtime.ts';
import { untilAborted } from '../../test/fakes/fake-scanner.ts';
import { container, digest, exclusionsOf, image, inventory, planInput } from '../../test/fakes/images.ts';
import type { NodeImage } from '../api/inventory.ts';
import type { PlanInput } from '../core/plan-facts.ts';
import { planRemoval, removals } from '../core/plan-removal.ts';
import { RoomError } from '../platform/errors.ts';
import type { RemovalJournal } from './ports.ts';
import type { Removal } from './removal.ts';
import { removeImages, type RemoveImagesOptions } from './remove-images.ts';

class RuntimeAway extends RoomError {}

const images = [1, 2, 3, 4].map((number) => image(number));
const [one, two] = images as [NodeImage, NodeImage, NodeImage, NodeImage];

/** Plans with the runtime as it is now; then `removeImages` runs against whatever the runtime has become. */
function planned(runtime: FakeRuntime, fields: Partial<PlanInput> = {}): Pick<RemoveImagesOptions, 'decisions' | 'facts'> {
  const taken = inventory([...runtime.images.values()], { containers: runtime.containers });
  const plan = planRemoval(planInput([], { inventory: taken, ...fields }));
  return { decisions: removals(plan.decisions), facts: plan.facts };
}

function removeAll(runtime: FakeRuntime, options: Partial<RemoveImagesOptions> = {}): Promise<Removal[]> {
  return removeImages({
    runtime,
    ...planned(runtime),
    staying: new Map(),
    listPendingPods: () => Promise.resolve([]),
    journal: null,
    concurrency: 2,
    perImageTimeoutMs: 1000,
    onEvent: () => undefined,
    signal: new AbortController().signal,
    ...options,
  });
}

const outcomes = (done: readonly Removal[]): string[] => done.map(({ outcome }) => outcome.kind);

describe('removeImages', () => {
  test('removes what was planned, and the runtime no longer has it', async () => {
    const runtime = new FakeRuntime(images);
    expect(outcomes(await removeAll(runtime))).toEqual(['removed', 'removed', 'removed', 'removed']);
    expect([...runtime.images]).toEqual([]);
  });

  test('removals that begin together ask for the images of the sandboxes once', async () => {
    const runtime = new FakeRuntime(images);
    expect(outcomes(await removeAll(runtime, { concurrency: 4 }))).toEqual(['removed', 'removed', 'removed', 'removed']);
    expect(runtime.calls.filter((call) => call === 'sandboxImageReferences')).toHaveLength(1);
  });

  test.each(['created', 'running', 'exited'] as const)('keeps an image that a container came to use after the plan (%s)', async (state) => {
    const runtime = new FakeRuntime(images);
    const plan = planned(runtime);
    runtime.containers = [container(1, [two.id], { state })];
    expect(outcomes(await removeAll(runtime, plan))).toEqual(['removed', 'kept', 'removed', 'removed']);
    expect([...runtime.images.keys()]).toEqual([two.id]);
  });

  test('keeps an image that a container came to use while others were being removed', async () => {
    const runtime = new FakeRuntime(images);
    const last = images.at(-1) as NodeImage;
    runtime.before = (call) => {
      if (call === `removeImage ${one.id}`) runtime.containers = [container(1, [last.id])];
      return Promise.resolve();
    };
    expect(outcomes(await removeAll(runtime, { concurrency: 1 }))).toEqual(['removed', 'removed', 'removed', 'kept']);
  });

  test('keeps an image that a pod bound to the node came to name after the plan', async () => {
    const runtime = new FakeRuntime(images);
    const listPendingPods = () => Promise.resolve([{ namespace: 'shop', name: 'cart', imageReferences: ['image-2:1'] }]);
    expect(outcomes(await removeAll(runtime, { listPendingPods }))).toEqual(['removed', 'kept', 'removed', 'removed']);
  });

  test('keeps an image that was pinned, or got an excluded name, after the plan', async () => {
    const runtime = new FakeRuntime(images);
    const plan = planned(runtime, { exclusions: exclusionsOf('ghcr.io/acme/*') });
    runtime.images.set(one.id, { ...one, pinned: true });
    runtime.images.set(two.id, { ...two, repoTags: [...two.repoTags, 'ghcr.io/acme/app:1'] });
    expect(outcomes(await removeAll(runtime, plan))).toEqual(['kept', 'kept', 'removed', 'removed']);
  });

  test('keeps an image that got the tag of a container after the plan', async () => {
    const runtime = new FakeRuntime([one]);
    const plan = planned(runtime);
    runtime.images.set(one.id, { ...one, repoTags: ['docker.io/library/web:2'] });
    runtime.containers = [container(1, ['web:2'])];
    expect(outcomes(await removeAll(runtime, plan))).toEqual(['kept']);
  });

  test('reads the pods before the containers, which come last', async () => {
    const runtime = new FakeRuntime([one]);
    const listPendingPods = () => {
      runtime.calls.push('listPendingPods');
      return Promise.resolve([]);
    };
    await removeAll(runtime, { listPendingPods });
    const [asked] = runtime.calls.flatMap((call, at) => (call.startsWith('removeImage') ? [at] : []));
    expect(runtime.calls.slice((asked ?? 0) - 2, asked)).toEqual(['listPendingPods', 'listContainers']);
  });

  test('keeps what became the sandbox image after the plan', async () => {
    const pause = image(5, { repoTags: ['registry.k8s.io/pause:3.9'] });
    const runtime = new FakeRuntime([one, pause]);
    const plan = planned(runtime);
    runtime.sandboxImages = ['registry.k8s.io/pause:3.9'];
    expect(outcomes(await removeAll(runtime, plan))).toEqual(['removed', 'kept']);
  });

  test('keeps an image that got the name of the sandbox image, or a digest that a container names, after the plan', async () => {
    const runtime = new FakeRuntime([one, two]);
    runtime.sandboxImages = ['registry.k8s.io/sandbox:1'];
    const plan = planned(runtime);
    runtime.images.set(one.id, { ...one, repoTags: ['registry.k8s.io/sandbox:1'] });
    runtime.images.set(two.id, { ...two, repoDigests: [`ghcr.io/acme/app@${digest(7)}`] });
    runtime.containers = [container(1, [`ghcr.io/acme/app@${digest(7)}`])];
    expect(outcomes(await removeAll(runtime, plan))).toEqual(['kept', 'kept']);
  });

  test('removes nothing when the containers cannot be read', async () => {
    const runtime = new FakeRuntime(images);
    runtime.before = (call) => (call === 'listContainers' ? Promise.reject(new Error('connection reset')) : Promise.resolve());
    const done = await removeAll(runtime);
    expect(done.map(({ outcome }) => outcome)).toEqual(images.map(() => ({ kind: 'failed', message: 'connection reset' })));
    expect(runtime.images.size).toBe(images.length);
  });

  test('removes nothing when the pods cannot be read', async () => {
    const runtime = new FakeRuntime(images);
    const done = await removeAll(runtime, { listPendingPods: () => Promise.reject(new Error('API server away')) });
    expect(outcomes(done)).toEqual(images.map(() => 'failed'));
    expect(runtime.images.size).toBe(images.length);
  });

  test.each([1, 2, 4])(
    'lists the containers for each removal after it looked at its image, %i at once, and all images never again',
    async (concurrency) => {
      const runtime = new FakeRuntime(images);
      await removeAll(runtime, { concurrency });
      for (const { id } of images) {
        const [seen, asked] = [runtime.calls.indexOf(`imageStatus ${id}`), runtime.calls.indexOf(`removeImage ${id}`)];
        expect(seen).toBeGreaterThanOrEqual(0);
        expect(runtime.calls.slice(seen, asked)).toContain('listContainers');
      }
      expect(runtime.calls.filter((call) => call === 'listContainers')).toHaveLength(images.length / concurrency);
      expect(runtime.calls).not.toContain('listImages');
    },
  );

  test('when the runtime goes away during a removal, asks the guards again before it repeats it', async () => {
    const runtime = new FakeRuntime(images);
    let away = true;
    runtime.before = (call) => {
      if (call !== `removeImage ${two.id}` || !away) return Promise.resolve();
      away = false;
      runtime.containers = [container(1, [two.id])];
      return Promise.reject(new RuntimeAway({ code: 'unavailable', action: 'retry', message: 'connection reset' }));
    };
    expect(outcomes(await removeAll(runtime))).toEqual(['removed', 'kept', 'removed', 'removed']);
    expect(runtime.images.has(two.id)).toBe(true);
  });

  test('gives up a removal that fails again and again', async () => {
    const runtime = new FakeRuntime(images);
    runtime.before = (call) =>
      call === `removeImage ${two.id}`
        ? Promise.reject(new RuntimeAway({ code: 'unavailable', action: 'retry', message: 'connection reset' }))
        : Promise.resolve();
    expect(outcomes(await removeAll(runtime))).toEqual(['removed', 'failed', 'removed', 'removed']);
    expect(runtime.calls.filter((call) => call === `removeImage ${two.id}`)).toHaveLength(3);
  });

  test('an image that is gone after the connection broke during its removal was removed', async () => {
    const runtime = new FakeRuntime(images);
    let broken = false;
    runtime.removeImage = async (id, signal) => {
      await FakeRuntime.prototype.removeImage.call(runtime, id, signal);
      if (id !== two.id || broken) return;
      broken = true;
      throw new RuntimeAway({ code: 'unavailable', action: 'retry', message: 'connection reset' });
    };
    expect(outcomes(await removeAll(runtime))).toEqual(['removed', 'removed', 'removed', 'removed']);
  });

  test('an image that is gone although its removal ran out of time was removed', async () => {
    const runtime = new FakeRuntime(images);
    runtime.removeImage = async (id, signal) => {
      await FakeRuntime.prototype.removeImage.call(runtime, id, signal);
      if (id === two.id) await untilAborted(signal);
    };
    expect(outcomes(await removeAll(runtime, { perImageTimeoutMs: 50 }))).toEqual(['removed', 'removed', 'removed', 'removed']);
  });

  test('when the runtime stays away, no other removal is begun', async () => {
    const runtime = new FakeRuntime(images);
    const plan = planned(runtime);
    runtime.before = () => Promise.reject(new RuntimeAway({ code: 'unavailable', action: 'retry', message: 'no such socket' }));
    expect(outcomes(await removeAll(runtime, { ...plan, concurrency: 1 }))).toEqual([
      'failed',
      'not-attempted',
      'not-attempted',
      'not-attempted',
    ]);
  });

  test('a runtime that is back at the last look is not lost', async () => {
    const runtime = new FakeRuntime([one, two]);
    const plan = planned(runtime);
    let looks = 0;
    runtime.removeImage = async (id, signal) => {
      await FakeRuntime.prototype.removeImage.call(runtime, id, signal);
      if (id === one.id) throw new RuntimeAway({ code: 'unavailable', action: 'retry', message: 'connection reset' });
    };
    runtime.before = (call) => {
      // The look after the guards, the two repeated ones fail; the last one does not.
      const isAway = call === `imageStatus ${one.id}` && !runtime.images.has(one.id) && ++looks <= 2;
      return isAway
        ? Promise.reject(new RuntimeAway({ code: 'unavailable', action: 'retry', message: 'no such socket' }))
        : Promise.resolve();
    };
    expect(outcomes(await removeAll(runtime, { ...plan, concurrency: 1 }))).toEqual(['removed', 'removed']);
  });

  test('when the runtime falls silent, no other removal is begun', async () => {
    const runtime = new FakeRuntime(images);
    const plan = planned(runtime);
    runtime.listContainers = untilAborted;
    const done = await removeAll(runtime, { ...plan, concurrency: 1, perImageTimeoutMs: 50 });
    expect(outcomes(done)).toEqual(['failed', 'not-attempted', 'not-attempted', 'not-attempted']);
    expect(done[0]?.outcome).toEqual({ kind: 'failed', message: 'not done within 50ms' });
  });

  test('a removal that the runtime accepts but does not carry out is a failure', async () => {
    const runtime = new FakeRuntime(images);
    runtime.stubborn.add(two.id);
    expect(outcomes(await removeAll(runtime))).toEqual(['removed', 'failed', 'removed', 'removed']);
  });

  test('an image that somebody else removed meanwhile is absent, not a failure', async () => {
    const runtime = new FakeRuntime(images);
    const plan = planned(runtime);
    runtime.images.delete(two.id);
    expect(outcomes(await removeAll(runtime, plan))).toEqual(['removed', 'absent', 'removed', 'removed']);
  });

  test('a removal that hangs fails by its time-out and does not hold up the others', async () => {
    const runtime = new FakeRuntime(images);
    runtime.removeImage = (id, signal) =>
      id === two.id
        ? new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
        : FakeRuntime.prototype.removeImage.call(runtime, id, signal);
    expect(outcomes(await removeAll(runtime, { perImageTimeoutMs: 50 }))).toEqual(['removed', 'failed', 'removed', 'removed']);
  });

  test('when the run is stopped, the removal in hand is finished and no other is begun', async () => {
    const runtime = new FakeRuntime(images);
    const stop = new AbortController();
    runtime.before = (call) => {
      if (call === `removeImage ${one.id}`) stop.abort();
      return Promise.resolve();
    };
    const done = await removeAll(runtime, { concurrency: 1, signal: stop.signal });
    expect(outcomes(done)).toEqual(['removed', 'not-attempted', 'not-attempted', 'not-attempted']);
    expect(runtime.images.size).toBe(images.length - 1);
  });
});

describe('the journal', () => {
  /** What the journal was told, in order, and what the runtime was asked to remove in between. */
  function recording(runtime: FakeRuntime): { journal: RemovalJournal; told: string[] } {
    const told: string[] = [];
    runtime.before = (call) => {
      if (call.startsWith('removeImage')) told.push(call);
      return Promise.resolve();
    };
    const journal: RemovalJournal = {
      removalBegan: ({ image: { id } }) => {
        told.push(`began ${id}`);
        return Promise.resolve();
      },
      removalEnded: ({ decision, outcome }) => {
        told.push(`ended ${decision.image.id} ${outcome.kind}`);
        return Promise.resolve();
      },
    };
    return { journal, told };
  }

  test('has each removal on record before the runtime is asked, and what came of it afterwards', async () => {
    const runtime = new FakeRuntime([one]);
    const { journal, told } = recording(runtime);
    await removeAll(runtime, { journal });
    expect(told).toEqual([`began ${one.id}`, `removeImage ${one.id}`, `ended ${one.id} removed`]);
  });

  test('nothing is removed that cannot be put on record', async () => {
    const runtime = new FakeRuntime(images);
    const { journal, told } = recording(runtime);
    const broken = { ...journal, removalBegan: () => Promise.reject(new Error('the history is damaged')) };
    const done = await removeAll(runtime, { journal: broken, concurrency: 1 });
    expect(outcomes(done)).toEqual(['failed', 'not-attempted', 'not-attempted', 'not-attempted']);
    expect(done[0]?.outcome).toEqual({ kind: 'failed', message: 'it could not be put on record: the history is damaged' });
    expect(told.filter((call) => call.startsWith('removeImage'))).toEqual([]);
    expect(runtime.images.size).toBe(images.length);
  });

  test('when an outcome cannot be put on record, the removals end there and the report says what was done', async () => {
    const runtime = new FakeRuntime(images);
    const { journal } = recording(runtime);
    const broken = { ...journal, removalEnded: () => Promise.reject(new Error('the history is damaged')) };
    const done = await removeAll(runtime, { journal: broken, concurrency: 1 });
    expect(outcomes(done)).toEqual(['removed', 'not-attempted', 'not-attempted', 'not-attempted']);
    expect(runtime.images.size).toBe(images.length - 1);
  });

  test('knows also of the removals that a stopped run did not come to', async () => {
    const runtime = new FakeRuntime([one, two]);
    const { journal, told } = recording(runtime);
    await removeAll(runtime, { journal, signal: AbortSignal.abort() });
    expect(told).toEqual([`ended ${one.id} not-attempted`, `ended ${two.id} not-attempted`]);
  });
});
