import { describe, expect, test } from 'vitest';
import { FakeCoordinator } from '../../test/fakes/fake-coordinator.ts';
import { image, imageId, report } from '../../test/fakes/images.ts';
import { MOST_IMAGES_ASKED, type ScanExchange } from '../api/coordinator/scans-call.ts';
import { readKnownReports } from './read-known-reports.ts';

const { signal } = new AbortController();
const ids = (count: number): string[] => Array.from({ length: count }, (_, at) => imageId(at));

describe('known reports', () => {
  test('are those of the images that were asked for, by the ids as they were given; nothing is read or waited for', async () => {
    const coordinator = new FakeCoordinator();
    const bare = imageId(1).slice('sha256:'.length);
    for (const at of [1, 2, 9]) coordinator.reports.push(report(image(at)));
    const known = await readKnownReports(coordinator, [bare, imageId(2), imageId(3)], signal);
    expect([...known.keys()]).toEqual([bare, imageId(2)]);
    const nothing: Partial<ScanExchange> = { scannerVersion: null, inHand: [], mayTake: 0, mayWaitMs: 0, analyses: [], failed: [] };
    expect(coordinator.exchanges).toEqual([{ ...nothing, wanted: [imageId(1), imageId(2), imageId(3)] }]);
  });

  test('of an image that could not be read there are none', async () => {
    const coordinator = new FakeCoordinator();
    coordinator.failures.set(imageId(1), { kind: 'unscannable', error: 'no layer' });
    coordinator.reports.push(report(image(2)));
    expect([...(await readKnownReports(coordinator, [imageId(1), imageId(2)], signal)).keys()]).toEqual([imageId(2)]);
  });

  test('of an image that nobody has asked for do not count', async () => {
    const results = [{ imageId: imageId(9), result: { kind: 'scanned' as const, report: report(image(9)) } }];
    const exchangeScans = () => Promise.resolve({ results, leased: [], elsewhere: [], rest: [] });
    expect(await readKnownReports({ exchangeScans }, [imageId(1)], signal)).toEqual(new Map());
  });

  test('are asked for in as many calls as it takes', async () => {
    const coordinator = new FakeCoordinator();
    const many = ids(MOST_IMAGES_ASKED + 3);
    for (const id of many) coordinator.reports.push(report(image(0, { id })));
    coordinator.mostResults = 600;
    expect((await readKnownReports(coordinator, many, signal)).size).toBe(many.length);
    expect(coordinator.exchanges.map(({ wanted }) => wanted.length)).toEqual([MOST_IMAGES_ASKED, 403]);
  });

  test('of which a coordinator gives none, whatever it says that there is, are not asked for for ever', async () => {
    let calls = 0;
    const exchangeScans = ({ wanted }: ScanExchange) => {
      calls += 1;
      if (calls > 10) throw new Error('asked for ever');
      return Promise.resolve({ results: [], leased: [], elsewhere: [], rest: [...wanted] });
    };
    expect(await readKnownReports({ exchangeScans }, ids(2), signal)).toEqual(new Map());
    expect(calls).toBe(1);
  });
});
