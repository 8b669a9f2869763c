import { describe, expect, test } from 'vitest';
import { thawExclusions, thawImageList } from '../../api/frozen-lists.ts';
import { makeFrozenConfigMaps, readFrozen } from './frozen-config-maps.ts';
import { divideNodes, parseNodes, type RunNode } from './node-records.ts';

const JOB = { name: 'imagejob-x', uid: 'job-uid' };
const participating = Array.from({ length: 1_203 }, (_, at) => ({
  name: `node-${String(at)}`,
  runtime: 'containerd' as const,
  isUnderDiskPressure: at === 3,
}));
const skipped = [{ name: 'win', reason: { code: 'windows' } as const }];
const CONTENT = {
  configuration: 'the text',
  exclusions: [
    { name: 'mine/a.json', entries: Array.from({ length: 40_000 }, (_, at) => `registry.example/team/application-${String(at)}:*`) },
  ],
  images: Array.from({ length: 30_000 }, (_, at) => `registry.example/team/application-with-a-long-name-${String(at)}:1.2.3`),
  protections: Array.from({ length: 12_000 }, (_, at) => ({
    object: { kind: 'CronJob', namespace: 'team', name: `report-${String(at)}` },
    imageReferences: [`registry.example/team/report-${String(at)}:1`],
  })),
  nodes: divideNodes(participating, skipped),
};
const objects = makeFrozenConfigMaps(JOB, 'eraser-system', CONTENT);
const dataOf = (name: string): Record<string, string> =>
  (objects.find(({ metadata }) => metadata.name === name)?.['data'] ?? {}) as Record<string, string>;

describe('what a run has frozen', () => {
  test('is in configmaps below 1 MiB, of which those of what a run goes by can never be changed', () => {
    for (const object of objects) {
      expect(Buffer.byteLength(JSON.stringify(object))).toBeLessThan(1024 * 1024);
      expect(object['immutable'] === true).toBe(!object.metadata.name.includes('-nodes-'));
      expect(object.metadata).toMatchObject({
        labels: { 'eraser.sh/job-uid': 'job-uid' },
        ownerReferences: [{ kind: 'ImageJob', uid: 'job-uid' }],
      });
    }
  });

  test('comes back as it was', () => {
    const frozen = readFrozen(JOB, [...objects].reverse());
    if (typeof frozen === 'string') throw new Error(frozen);
    expect(frozen.configuration).toBe('the text');
    expect(frozen.configMaps.exclusions.length).toBeGreaterThan(1);
    expect(frozen.configMaps.imageList.length).toBeGreaterThan(1);
    expect(objects.filter(({ metadata }) => metadata.name.includes('-protections-')).length).toBeGreaterThan(1);
    expect(frozen.protections).toEqual(CONTENT.protections);
    expect(thawExclusions(frozen.configMaps.exclusions.map((name) => dataOf(name)['exclusions.json'] ?? ''))).toEqual({
      ok: true,
      value: CONTENT.exclusions,
    });
    expect(thawImageList(frozen.configMaps.imageList.map((name) => dataOf(name)['image-list.json'] ?? ''))).toEqual({
      ok: true,
      value: CONTENT.images,
    });
    const nodes = frozen.nodes.flatMap((data): RunNode[] => {
      const parsed = parseNodes(data);
      if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
      return parsed.value;
    });
    expect(nodes).toEqual(CONTENT.nodes.flat());
  });

  test.each(objects.map(({ metadata: { name } }) => name))('cannot be read back without %s', (name) => {
    const rest = objects.filter(({ metadata }) => metadata.name !== name);
    const frozen = readFrozen(JOB, rest);
    // What one kind of runs has looks then like a run of the other; the kind of the job tells.
    if (name.endsWith('image-list-0')) expect(frozen).toMatchObject({ configMaps: { imageList: [] } });
    else if (name.endsWith('protections-0')) expect(frozen).toMatchObject({ protections: null });
    else expect(frozen).toMatch(/^of what it has frozen is missing: /);
  });
});
