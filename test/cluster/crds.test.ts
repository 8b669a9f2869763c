import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import * as z from 'zod';
import { lacksNodeAccess } from '../../lab/real-cluster.ts';
import { parseImageJob } from '../../src/api/image-job.ts';
import { parseImageList, type ImageList } from '../../src/api/image-list.ts';
import { kubectlWith, type Kubectl, type KubectlResult } from '../../lab/kubectl.ts';

const path = (relative: string): string => fileURLToPath(new URL(`../../${relative}`, import.meta.url));
const OURS = path('deploy/crds');
const ERASERS = path('test/fakes/eraser-crds.yaml');
const CRDS = ['crd/imagelists.eraser.sh', 'crd/imagejobs.eraser.sh'];

let kubectl: Kubectl;
let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'image-cleaner-test-kubectl-'));
  if (lacksNodeAccess()) return;
  kubectl = await kubectlWith({ kubeconfig: inject('kubeconfig'), home });
});
afterAll(() => rm(home, { recursive: true, force: true }));

/** What kubectl printed; fails the test with its message when it failed. */
async function done(args: readonly string[], input?: string | object): Promise<string> {
  const { code, stdout, stderr } = await kubectl(args, input);
  expect(`${String(code)} ${stderr}`).toMatch(/^0 (Warning: .+\s*)*$/);
  return stdout;
}

const list = (images: unknown, { version = 'v1', name = 'imagelist' } = {}): object => ({
  apiVersion: `eraser.sh/${version}`,
  kind: 'ImageList',
  metadata: { name },
  spec: { images },
});

async function readList(name = 'imagelist', resource = 'imagelists'): Promise<ImageList> {
  const parsed = parseImageList(JSON.parse(await done(['get', resource, name, '-o', 'json'])));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.value;
}

async function applyCrds(file: string): Promise<void> {
  await done(['apply', '-f', file]);
  // `kubectl wait` would fail on a definition that has no condition yet.
  await vi.waitFor(() => done(['get', '-o', 'name', 'imagelists,imagejobs']), { timeout: 20_000, interval: 200 });
}

const crdStatusSchema = z.object({
  status: z.object({
    conditions: z.array(z.object({ type: z.string(), status: z.string() })),
    storedVersions: z.array(z.string()),
  }),
});

/** Waits until the API server says it: what it serves follows a moment after `Established`. */
async function untilServed(args: readonly string[], text: string): Promise<void> {
  await vi.waitFor(async () => expect((await kubectl(args)).stdout).toContain(text), { timeout: 20_000, interval: 200 });
}

// Deletes the definitions, and all lists with them: never on a cluster that was given.
describe.skipIf(lacksNodeAccess())('an upgrade from Eraser', () => {
  const STATUS = { success: 2, failed: 0, skipped: 1, timestamp: '2025-01-02T03:04:05Z' };

  beforeAll(async () => {
    await done(['delete', '--ignore-not-found', ...CRDS]);
    await applyCrds(ERASERS);
    await untilServed(['api-resources', '--api-group=eraser.sh'], 'imagelists');
    await done(['apply', '-f', '-'], list(['nginx', '']));
    await done(['patch', 'imagelist', 'imagelist', '--subresource=status', '--type=merge', '-p', JSON.stringify({ status: STATUS })]);
    await done(['create', '-f', '-'], { apiVersion: 'eraser.sh/v1', kind: 'ImageJob', metadata: { name: 'old' } });
    await applyCrds(OURS);
    await untilServed(['explain', 'imagelist.status'], 'conditions');
  });

  test('the list is still there, with its status', async () => {
    expect(await readList()).toMatchObject({ spec: { images: ['nginx', ''] }, status: STATUS, metadata: { generation: 1 } });
    expect(parseImageJob(JSON.parse(await done(['get', 'imagejob', 'old', '-o', 'json'])))).toMatchObject({ ok: true });
  });

  test('an entry that is refused now does not keep the rest of the object from being written', async () => {
    const status = { observedGeneration: 1, removedImages: 1 };
    await done(['patch', 'imagelist', 'imagelist', '--subresource=status', '--type=merge', '-p', JSON.stringify({ status })]);
    await done(['label', 'imagelist', 'imagelist', 'team=web']);
    expect(await readList()).toMatchObject({ metadata: { labels: { team: 'web' } }, spec: { images: ['nginx', ''] }, status });
  });

  test('what stays of the list can be applied again once the entry is gone', async () => {
    const again = await kubectl(['apply', '-f', '-'], list(['nginx', '', 'redis']));
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('spec.images[1]') as unknown });
    await done(['apply', '-f', '-'], list(['nginx', 'redis']));
    expect(await readList()).toMatchObject({ spec: { images: ['nginx', 'redis'] }, metadata: { generation: 2 } });
  });

  test('nothing is stored in another version', async () => {
    for (const crd of CRDS) {
      const { status } = crdStatusSchema.parse(JSON.parse(await done(['get', crd, '-o', 'json'])));
      expect(status.storedVersions).toEqual(['v1']);
    }
  });
});

describe.skipIf(lacksNodeAccess())('the definitions', () => {
  beforeAll(async () => {
    await applyCrds(OURS);
    await untilServed(['explain', 'imagelist.status'], 'conditions');
    await done(['delete', 'imagelists,imagejobs', '--all']);
  });
  afterAll(() => done(['delete', 'imagelists,imagejobs', '--all']));

  test.each(CRDS)('%s is established and structural', async (crd) => {
    const { status } = crdStatusSchema.parse(JSON.parse(await done(['get', crd, '-o', 'json'])));
    const holding = status.conditions.filter((condition) => condition.status === 'True').map(({ type }) => type);
    expect(holding.sort()).toEqual(['Established', 'NamesAccepted']);
  });

  test.each([
    ['imagelist.spec', ['What is to be removed.', 'images\t<[]string> -required-', 'every image that no container uses']],
    ['imagejob.status', ['Written by the manager.', 'reclaimedBytes\t<integer>', 'over all nodes', 'enum: Running, Completed, Failed']],
    ['imagejob.status.conditions', ['Complete, Stalled, Paused, FailureTarget, Failed', 'Whether it holds.']],
  ])('kubectl explain %s', async (field, texts) => {
    const explained = (await done(['explain', field])).replaceAll(/\n +/g, ' ');
    for (const text of texts) expect(explained).toContain(text);
  });

  test('the short names and the category', async () => {
    const resources = await done(['api-resources', '--api-group=eraser.sh', '--categories=image-cleaner', '--no-headers']);
    const rows = resources.trim().split('\n');
    expect(rows.map((row) => row.split(/\s+/).slice(0, 3))).toEqual([
      ['imagejobs', 'ij', 'eraser.sh/v1'],
      ['imagelists', 'il', 'eraser.sh/v1'],
    ]);
  });

  describe.each(['v1', 'v1alpha1'])("Eraser's sample in %s", (version) => {
    const SAMPLE = `apiVersion: eraser.sh/${version}
kind: ImageList
metadata:
  name: imagelist
spec:
  images:
    - sha256:2834dc507516af02784808c5f48b7cbe38b8ed5d0f4837f16e78d00deb7e7767
    - docker.io/library/alpine:3.7.3   # use "*" for all non-running images
    - nginx
`;

    test('applies unchanged, and reads back in both', async () => {
      await done(['delete', '--ignore-not-found', 'imagelist', 'imagelist']);
      const applied = await kubectl(['apply', '-f', '-'], SAMPLE);
      expect(applied).toMatchObject({ code: 0, stdout: 'imagelist.eraser.sh/imagelist created\n' });
      expect(applied.stderr.includes('eraser.sh/v1alpha1 ImageList is deprecated; use eraser.sh/v1')).toBe(version === 'v1alpha1');
      for (const read of ['v1', 'v1alpha1']) {
        const { apiVersion, spec } = await readList('imagelist', `imagelists.${read}.eraser.sh`);
        expect(apiVersion).toBe(`eraser.sh/${read}`);
        expect(spec?.images).toEqual([
          'sha256:2834dc507516af02784808c5f48b7cbe38b8ed5d0f4837f16e78d00deb7e7767',
          'docker.io/library/alpine:3.7.3',
          'nginx',
        ]);
      }
      expect(await done(['apply', '-f', '-'], SAMPLE)).toContain('unchanged');
    });
  });

  test.each([
    ['another name', list(['*'], { name: 'other' })],
    ['no entries', list([], { name: 'other' })],
    ['no spec', { apiVersion: 'eraser.sh/v1', kind: 'ImageList', metadata: { name: 'other' } }],
    ['an entry as long as one may be', list(['a'.repeat(1024)], { name: 'other' })],
    [
      '20,000 image ids',
      list(
        Array.from({ length: 20_000 }, (_, at) => String(at).padStart(64, '0')),
        { name: 'other' },
      ),
    ],
  ])('a list with %s is taken', async (_what, object) => {
    expect(await done(['create', '--dry-run=server', '-f', '-'], object)).toContain('imagelist.eraser.sh/other created');
  });

  test('10,000 entries are kept, every one', async () => {
    const images = Array.from({ length: 10_000 }, (_, at) => `registry.example.com/team/app-${String(at)}:1.0`);
    await done(['create', '-f', '-'], list(images, { name: 'large' }));
    expect((await readList('large')).spec?.images).toEqual(images);
  });

  describe.each(['v1', 'v1alpha1'])('bad input in %s', (version) => {
    const bad = (spec: unknown): object => ({ apiVersion: `eraser.sh/${version}`, kind: 'ImageList', metadata: { name: 'bad' }, spec });

    test.each([
      ['a number', { images: ['a', 1.25] }, 'spec.images[1] in body must be of type string: "number"'],
      ['a text for the list', { images: 'nginx' }, 'spec.images in body must be of type array: "string"'],
      ['nothing for the list', { images: null }, 'spec.images: Required value'],
      ['no list', {}, 'spec.images: Required value'],
      ['an unknown key', { images: [], imags: ['a'] }, 'unknown field "spec.imags"'],
      ['an empty entry', { images: ['a', 'b', ''] }, 'spec.images[2] in body should be at least 1 chars long'],
      [
        'an empty last of 10,000',
        { images: [...Array<string>(9_999).fill('a:1'), ''] },
        'spec.images[9999] in body should be at least 1 chars',
      ],
      ['an entry that is too long', { images: ['a'.repeat(1025)] }, 'spec.images[0]: Too long: may not be more than 1024 bytes'],
    ])('%s is refused, and the answer says where and why', async (_what, spec, message) => {
      const { code, stderr } = await kubectl(['create', '-f', '-'], bad(spec));
      expect(stderr).toContain(message);
      expect(stderr).not.toContain('not checked');
      expect(code).toBe(1);
      expect((await kubectl(['get', 'imagelist', 'bad'])).stderr).toContain('NotFound');
    });
  });

  describe('the status', () => {
    const CONDITION = { type: 'Complete', status: 'True', lastTransitionTime: '2026-11-01T10:05:00Z', reason: 'Completed', message: '' };
    const patchStatus = (resource: string, status: object): Promise<KubectlResult> =>
      kubectl(['patch', ...resource.split('/'), '--subresource=status', '--type=merge', '-p', JSON.stringify({ status })]);

    beforeAll(async () => {
      const labels = { 'eraser.sh/job-owner': 'imagecollector' };
      await done(['create', '-f', '-'], { apiVersion: 'eraser.sh/v1', kind: 'ImageJob', metadata: { name: 'job', labels } });
    });

    test('of a list is apart from its spec', async () => {
      await done(['apply', '-f', '-'], { ...list(['a:1'], { name: 'apart' }), status: { success: 9 } });
      expect(await readList('apart')).not.toHaveProperty('status');
      expect(await patchStatus('imagelist/apart', { conditions: [{ ...CONDITION, type: 'Ready' }] })).toMatchObject({ code: 0 });
      const { spec, status, metadata } = await readList('apart');
      expect({ spec, status, generation: metadata.generation }).toEqual({
        spec: { images: ['a:1'] },
        status: { conditions: [{ ...CONDITION, type: 'Ready' }] },
        generation: 1,
      });
      const both = { spec: { images: ['b:1'] }, status: { success: 5 } };
      await done(['patch', 'imagelist', 'apart', '--subresource=status', '--type=merge', '-p', JSON.stringify(both)]);
      expect(await readList('apart')).toMatchObject({ spec: { images: ['a:1'] }, status: { success: 5 } });
      await done(['wait', '--for=condition=Ready', '--timeout=5s', 'imagelist/apart']);
    });

    test('as Eraser writes it is taken, in either version', async () => {
      const status = { desired: 3, succeeded: 2, failed: 0, skipped: 1, phase: 'Completed', deleteAfter: '2026-11-01T10:05:00Z' };
      for (const resource of ['imagejobs.v1.eraser.sh/job', 'imagejobs.v1alpha1.eraser.sh/job']) {
        expect(await patchStatus(resource, status)).toMatchObject({ code: 0 });
      }
      expect(parseImageJob(JSON.parse(await done(['get', 'imagejob', 'job', '-o', 'json'])))).toMatchObject({
        ok: true,
        value: { status },
      });
    });

    test.each([
      ['a phase that is none', { phase: 'Paused' }, 'Unsupported value: "Paused": supported values: "Running", "Completed", "Failed"'],
      [
        'less than no bytes',
        { reclaimedBytes: -1 },
        'status.reclaimedBytes: Invalid value: -1: reclaimedBytes in body should be greater than or equal to 0',
      ],
      [
        'a time that is none',
        { startTime: 'yesterday' },
        'status.startTime: Invalid value: "yesterday": startTime in body must be of type date-time',
      ],
      ['the same condition twice', { conditions: [CONDITION, CONDITION] }, 'status.conditions[1]: Duplicate value'],
      ['a condition that says nothing', { conditions: [{ type: 'Failed' }] }, 'status.conditions[0].reason: Required value'],
    ])('%s is refused', async (_what, status, message) => {
      const { code, stderr } = await patchStatus('imagejob/job', status);
      expect(stderr).toContain(message);
      expect(code).toBe(1);
    });

    test('the columns of kubectl get', async () => {
      await patchStatus('imagejob/job', {
        desired: 5,
        succeeded: 3,
        failed: 1,
        skipped: 1,
        phase: 'Failed',
        removedImages: 12,
        reclaimedBytes: 3_500_000_000,
        completionTime: new Date(Date.now() - 90 * 60_000).toISOString(),
      });
      const cells = (printed: string): string[][] =>
        printed
          .trim()
          .split('\n')
          .map((row) => row.split(/ {2,}/));
      const columns = ['NAME', 'PHASE', 'DESIRED', 'SUCCEEDED', 'FAILED', 'SKIPPED', 'REMOVED', 'FREED BYTES'];
      const row = ['job', 'Failed', '5', '3', '1', '1', '12', '3500000000'];
      const age = expect.stringMatching(/^\d+[sm]/) as unknown;
      expect(cells(await done(['get', 'imagejobs']))).toEqual([
        [...columns, 'AGE'],
        [...row, age],
      ]);
      expect(cells(await done(['get', 'imagejobs', '-o', 'wide']))).toEqual([
        [...columns, 'OWNER', 'ENDED', 'AGE'],
        [...row, 'imagecollector', '90m', age],
      ]);
      await patchStatus('imagelist/apart', { success: 5, failed: 0, skipped: 2, removedImages: 3, reclaimedBytes: 7 });
      expect(cells(await done(['get', 'imagelist', 'apart']))[0]?.join(' ')).toBe(
        'NAME READY SUCCEEDED FAILED SKIPPED REMOVED FREED BYTES LAST RUN AGE',
      );
      expect((await done(['get', 'imagelist', 'apart'])).split('\n')[1]).toMatch(/^apart +True +5 +0 +2 +3 +7 +\d+[sm]/);
    });
  });
});
