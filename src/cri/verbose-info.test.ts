import { describe, expect, test } from 'vitest';
import { configuredSandboxImage, configuredSnapshotter, imageDiffIds, sandboxImage } from './verbose-info.ts';

const rootfs = (value: unknown): string => JSON.stringify({ imageSpec: { rootfs: value } });

describe('what a runtime tells in JSON of its own', () => {
  test('is read field by field', () => {
    const config = '{"sandboxImage":"registry.k8s.io/pause:3.10","containerd":{"snapshotter":"native"}}';
    expect(configuredSandboxImage(config)).toBe('registry.k8s.io/pause:3.10');
    expect(configuredSnapshotter(config)).toBe('native');
    expect(sandboxImage('{"image":"pause:3.10","pid":7}')).toBe('pause:3.10');
    expect(imageDiffIds(rootfs({ diff_ids: ['sha256:aa', 'sha256:bb'] }))).toEqual(['sha256:aa', 'sha256:bb']);
  });

  test('an image without layers', () => {
    for (const value of [{ diff_ids: [] }, { diff_ids: null }, {}]) expect(imageDiffIds(rootfs(value))).toEqual([]);
  });

  test.each([undefined, '', '{', 'null', '7', '"text"', '[]', '{}'])('is null when it is not told, or in another form: %s', (text) => {
    for (const read of [configuredSandboxImage, configuredSnapshotter, sandboxImage, imageDiffIds]) expect(read(text)).toBeNull();
  });

  test('is null when the field is of another type', () => {
    expect(configuredSandboxImage('{"sandboxImage":["pause"]}')).toBeNull();
    expect(configuredSnapshotter('{"containerd":["native"]}')).toBeNull();
    expect(configuredSnapshotter('{"containerd":{"snapshotter":1}}')).toBeNull();
    expect(sandboxImage('{"image":{"image":"pause"}}')).toBeNull();
    for (const value of [null, [], 'sha256:aa', { diff_ids: 'sha256:aa' }, { diff_ids: ['sha256:aa', 1] }]) {
      expect(imageDiffIds(rootfs(value))).toBeNull();
    }
  });
});
