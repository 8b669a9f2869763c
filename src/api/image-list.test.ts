import { describe, expect, test } from 'vitest';
import { parseImageList } from './image-list.ts';

const METADATA = { name: 'imagelist', uid: 'u-1', resourceVersion: '7', generation: 2, creationTimestamp: '2026-11-01T10:00:00Z' };
const made = (parts: object): object => ({ apiVersion: 'eraser.sh/v1', kind: 'ImageList', metadata: METADATA, ...parts });
const CONDITION = { type: 'Ready', status: 'True', lastTransitionTime: '2026-11-01T10:05:00Z', reason: 'Completed', message: '' };

const errorsOf = (raw: unknown): readonly string[] => {
  const parsed = parseImageList(raw);
  return parsed.ok ? [] : parsed.errors.map(({ path, message }) => `${path}: ${message}`);
};

describe('parseImageList', () => {
  test.each(['eraser.sh/v1', 'eraser.sh/v1alpha1'])('%s, as Eraser left it', (apiVersion) => {
    const status = { success: 3, failed: 0, skipped: 1, timestamp: '2025-01-02T03:04:05Z' };
    const raw = { ...made({ spec: { images: ['nginx', '*'] }, status }), apiVersion };
    expect(parseImageList(raw)).toEqual({ ok: true, value: { ...raw, metadata: { ...METADATA, labels: {}, annotations: {} } } });
  });

  test('with all of its status', () => {
    const status = {
      success: 3,
      failed: 0,
      skipped: 1,
      timestamp: '2026-11-01T10:05:00Z',
      startTime: '2026-11-01T10:00:00.123456Z',
      removedImages: 12,
      reclaimedBytes: 5_000_000_000,
      observedGeneration: 2,
      conditions: [{ ...CONDITION, observedGeneration: 2 }],
    };
    expect(parseImageList(made({ status }))).toMatchObject({ ok: true, value: { status } });
  });

  test('with entries that Eraser took, and that are no images', () => {
    const spec = { images: ['', ' ', 'a'.repeat(1025), 'nginx:*'] };
    expect(parseImageList(made({ spec }))).toMatchObject({ ok: true, value: { spec } });
  });

  test('without a spec, which Eraser allows', () => expect(parseImageList(made({}))).toMatchObject({ ok: true }));

  test('leaves out what a newer version has', () => {
    const raw = made({
      spec: { images: [], nodes: ['a'] },
      status: { phase: 'x', conditions: [{ ...CONDITION, severity: 'low' }] },
      more: true,
    });
    const parsed = parseImageList(raw);
    expect(parsed).toMatchObject({ ok: true, value: { spec: { images: [] }, status: { conditions: [CONDITION] } } });
    expect(JSON.stringify(parsed)).not.toMatch(/nodes|phase|severity|more/);
  });

  test.each([
    ['another kind', { ...made({}), kind: 'ImageJob' }, /^kind: /],
    ['another group', { ...made({}), apiVersion: 'eraser.sh/v2' }, /^apiVersion: /],
    ['no name', { ...made({}), metadata: {} }, /^metadata\.name: /],
    ['a spec without images', made({ spec: {} }), /^spec\.images: .+expected array/],
    ['a number for an image', made({ spec: { images: ['a', 'b', 1.25] } }), /^spec\.images\[2\]: .+expected string, received number/],
    ['a text for a number', made({ status: { failed: '1' } }), /^status\.failed: /],
    ['a fraction', made({ status: { failed: 1.5 } }), /^status\.failed: /],
    ['less than no bytes', made({ status: { reclaimedBytes: -1 } }), /^status\.reclaimedBytes: /],
    ['a time that is none', made({ status: { timestamp: 'yesterday' } }), /^status\.timestamp: /],
    [
      'a condition neither true nor false',
      made({ status: { conditions: [{ ...CONDITION, status: 'Yes' }] } }),
      /^status\.conditions\[0\]\.status: /,
    ],
    ['no object', null, /^: /],
  ])('%s is an error', (_what, raw, message) => {
    expect(errorsOf(raw).join('\n')).toMatch(message);
  });

  test('all errors are told', () => {
    expect(errorsOf(made({ spec: { images: [1, 'a', 2] }, status: { success: null } }))).toHaveLength(3);
  });
});
