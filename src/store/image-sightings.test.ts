import { describe, expect, test } from 'vitest';
import type { RemovalEnd } from './history.ts';
import { image, imageId } from '../../test/fakes/images.ts';
import { DAY, HOUR, openTestHistory, type TestHistory } from '../../test/fakes/history-in-test.ts';
import { ending, ENDPOINT, HOLDER, plan, removal, runStart } from '../../test/fakes/runs.ts';

const YEAR = 365 * DAY;
const [one, two] = [image(1), image(2)];

function see({ history }: TestHistory, images = [one, two], used: string[] = []): Promise<void> {
  return history.memoryOf(ENDPOINT).recordSightings({ images, inUse: new Set(used) });
}

async function ages({ history, clock }: TestHistory, id = one.id): Promise<{ seen: number; used: number | null } | null> {
  const known = (await history.memoryOf(ENDPOINT).readImageHistories([id])).get(id);
  if (known === undefined) return null;
  return { seen: clock.now() - known.firstSeenAt, used: known.lastInUseAt === null ? null : clock.now() - known.lastInUseAt };
}

describe('what is remembered of images', () => {
  test('how long each has been on the node, and since when it is not in use', async () => {
    const it = await openTestHistory();
    expect(await ages(it)).toBeNull();
    await see(it, [one], [one.id]);
    it.clock.pass(DAY);
    await see(it, [one, two]);
    it.clock.pass(HOUR);
    expect(await ages(it)).toEqual({ seen: DAY + HOUR, used: DAY + HOUR });
    expect(await ages(it, two.id)).toEqual({ seen: HOUR, used: null });
  });

  test('outlives the process', async () => {
    const it = await openTestHistory();
    await see(it, [one], [one.id]);
    it.clock.pass(DAY);
    const later = await openTestHistory(it);
    expect(await ages(later)).toEqual({ seen: DAY, used: DAY });
  });

  test('an image that was gone and comes back is new', async () => {
    const it = await openTestHistory();
    await see(it, [one, two]);
    it.clock.pass(30 * DAY);
    await see(it, [two]);
    it.clock.pass(DAY);
    await see(it, [one, two]);
    it.clock.pass(HOUR);
    expect(await ages(it)).toEqual({ seen: HOUR, used: null });
    expect(await ages(it, two.id)).toEqual({ seen: 31 * DAY + HOUR, used: null });
  });

  test('its use in an earlier stay is forgotten, too', async () => {
    const it = await openTestHistory();
    await see(it, [one], [one.id]);
    await see(it, []);
    it.clock.pass(DAY);
    await see(it, []);
    await see(it, [one]);
    expect(await ages(it)).toEqual({ seen: 0, used: null });
  });

  test.each<[string, RemovalEnd['outcome'], boolean]>([
    ['removed', { kind: 'removed' }, true],
    ['found absent', { kind: 'absent' }, true],
    ['kept after all', { kind: 'kept', reason: { code: 'not-listed' } }, false],
    ['not removed for a fault', { kind: 'failed', message: 'busy' }, false],
  ])('one that our own run %s between two sightings', async (_, outcome, isNew) => {
    const it = await openTestHistory();
    await see(it, [one, two], [one.id]);
    it.clock.pass(30 * DAY);
    await it.history.lockRuns(HOLDER);
    const run = await it.history.beginRun(runStart());
    await see(it);
    await run.planned(plan(removal(one)));
    await run.removalBegan(removal(one));
    await run.removalEnded({ decision: removal(one), outcome });
    await run.end(ending());
    // Pulled again before anybody looks.
    it.clock.pass(DAY);
    await see(it);
    it.clock.pass(HOUR);
    expect(await ages(it)).toEqual(isNew ? { seen: HOUR, used: null } : { seen: 31 * DAY + HOUR, used: 31 * DAY + HOUR });
    expect(await ages(it, two.id)).toEqual({ seen: 31 * DAY + HOUR, used: null });
  });

  test.each<[string, boolean, string[], boolean]>([
    ['is gone', true, [], true],
    ['was pulled again, or never went', true, [one.id], true],
    ['went although its turn had not come', false, [], true],
    ['stayed, since its turn had not come', false, [one.id], false],
  ])('one in the hands of a killed run that %s', async (_, began, present, isNew) => {
    const killed = await openTestHistory();
    await see(killed);
    await killed.history.lockRuns(HOLDER);
    const run = await killed.history.beginRun(runStart());
    await run.planned(plan(removal(one)));
    if (began) await run.removalBegan(removal(one));
    await killed.history.close();
    const it = await openTestHistory(killed);
    await it.history.lockRuns(HOLDER);
    it.clock.pass(DAY);
    await it.history.settleKilledRun(1, new Set(present), it.clock.now());
    await see(it);
    it.clock.pass(HOUR);
    expect(await ages(it)).toEqual({ seen: isNew ? HOUR : DAY + HOUR, used: null });
  });

  test('is of one runtime: another with the same history knows nothing of it, nor ends its stays', async () => {
    const it = await openTestHistory();
    const other = it.history.memoryOf('unix:///run/crio/crio.sock');
    await see(it, [one], [one.id]);
    it.clock.pass(30 * DAY);
    const known = await other.observe({ images: [one], inUse: new Set() });
    expect(known.get(one.id)).toEqual({ firstSeenAt: it.clock.now(), lastInUseAt: null });
    it.clock.pass(HOUR);
    await other.observe({ images: [], inUse: new Set() });
    await see(it, [one]);
    expect(await ages(it)).toEqual({ seen: 30 * DAY + HOUR, used: 30 * DAY + HOUR });
    await it.history.lockRuns(HOLDER);
    const run = await it.history.beginRun(runStart({ runtimeEndpoint: 'unix:///run/crio/crio.sock' }));
    await run.planned(plan(removal(one)));
    await run.removalEnded({ decision: removal(one), outcome: { kind: 'removed' } });
    expect(await ages(it)).toEqual({ seen: 30 * DAY + HOUR, used: 30 * DAY + HOUR });
  });

  test('an id is one image with and without sha256:', async () => {
    const it = await openTestHistory();
    await see(it, [one]);
    expect(await ages(it, one.id.slice('sha256:'.length))).toEqual({ seen: 0, used: null });
  });

  test.each<[string, (it: TestHistory) => void, number]>([
    ['time that goes by', ({ clock }) => clock.pass(3 * DAY), 3 * DAY],
    ['a clock a year ahead', ({ clock }) => clock.step(YEAR), 0],
    ['a clock a year back', ({ clock }) => clock.step(-YEAR), 0],
    ['a night switched off', ({ clock }) => clock.reboot(8 * HOUR), 8 * HOUR],
    [
      'a restart with the clock at 1970',
      ({ clock }) => {
        clock.reboot(0);
        clock.step(-clock.wallAt);
        clock.pass(HOUR);
      },
      HOUR,
    ],
    [
      'a restart with the clock years ahead',
      ({ clock }) => {
        clock.reboot(0);
        clock.step(5 * YEAR);
        clock.pass(HOUR);
      },
      HOUR,
    ],
  ])('%s: the age is right, read before and after a further sighting', async (_, happen, age) => {
    const it = await openTestHistory();
    await see(it, [one], [one.id]);
    happen(it);
    expect(await ages(it)).toEqual({ seen: age, used: age });
    await see(it, [one]);
    expect(await ages(it)).toEqual({ seen: age, used: age });
    it.clock.pass(HOUR);
    await see(it, [one]);
    expect(await ages(it)).toEqual({ seen: age + HOUR, used: age + HOUR });
  });

  test('observing tells of this time too', async () => {
    const { history, clock } = await openTestHistory();
    await history.memoryOf(ENDPOINT).observe({ images: [one], inUse: new Set() });
    clock.pass(DAY);
    const known = await history.memoryOf(ENDPOINT).observe({ images: [one, two], inUse: new Set([two.id]) });
    expect(known).toEqual(
      new Map([
        [one.id, { firstSeenAt: clock.now() - DAY, lastInUseAt: null }],
        [two.id, { firstSeenAt: clock.now(), lastInUseAt: clock.now() }],
      ]),
    );
  });

  test('of thousands of images, each is there', async () => {
    const it = await openTestHistory();
    const many = Array.from({ length: 3_000 }, (_, number) => image(number));
    await see(it, many);
    const known = await it.history.memoryOf(ENDPOINT).readImageHistories(many.map(({ id }) => id));
    expect(known.size).toBe(3_000);
    expect(await ages(it, imageId(3_001))).toBeNull();
  });
});
