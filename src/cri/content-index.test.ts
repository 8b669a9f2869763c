import { describe, expect, test } from 'vitest';
import type { ContentBlob } from './containerd-content.ts';
import { ContentIndex } from './content-index.ts';

const IMAGE = 'sha256:image';
/** Of the layers `sha256:aa`, `sha256:bb` and `sha256:bb`, as in image-layers.test.ts. */
const TOP = 'sha256:b7ea992e284e15fd497688b4e1957fae612dfc5b5aea0b19dd2a06d115b14b20';

function blob(digest: string, labels: Readonly<Record<string, string>>): ContentBlob {
  return { digest, bytes: 1, labels };
}

function layer(digest: string, diffId: string): ContentBlob {
  return blob(digest, { 'containerd.io/uncompressed': diffId });
}

/** Its layers are labelled in an order of their own, as a map of protobuf may be. */
const MANIFEST = blob('sha256:manifest', {
  'containerd.io/gc.ref.content.config': IMAGE,
  'containerd.io/gc.ref.content.l.2': 'sha256:bb-gz',
  'containerd.io/gc.ref.content.l.0': 'sha256:aa-gz',
  'containerd.io/gc.ref.content.l.1': 'sha256:bb-gz',
});
const LAYERS = [layer('sha256:aa-gz', 'sha256:aa'), layer('sha256:bb-gz', 'sha256:bb')];
const UNPACKED = { 'containerd.io/gc.ref.snapshot.overlayfs': TOP };

describe('diffIdsOfImage', () => {
  const diffIds = (...blobs: ContentBlob[]) => new ContentIndex(blobs).diffIdsOfImage(IMAGE);

  test('from the base up, where they add up to the snapshot that the image was unpacked to', () => {
    expect(diffIds(MANIFEST, ...LAYERS, blob(IMAGE, UNPACKED))).toEqual(['sha256:aa', 'sha256:bb', 'sha256:bb']);
  });

  test('of the manifest that was unpacked, where there are several', () => {
    const other = blob('sha256:other', { ...MANIFEST.labels, 'containerd.io/gc.ref.content.l.0': 'sha256:bb-gz' });
    expect(diffIds(other, MANIFEST, ...LAYERS, blob(IMAGE, UNPACKED))).toEqual(['sha256:aa', 'sha256:bb', 'sha256:bb']);
  });

  test.each([
    ['a layer that is gone', [MANIFEST, layer('sha256:aa-gz', 'sha256:aa'), blob(IMAGE, UNPACKED)]],
    [
      'a layer that is noted as another',
      [MANIFEST, layer('sha256:aa-gz', 'sha256:cc'), layer('sha256:bb-gz', 'sha256:bb'), blob(IMAGE, UNPACKED)],
    ],
    ['a layer of which nothing is noted', [MANIFEST, blob('sha256:aa-gz', {}), layer('sha256:bb-gz', 'sha256:bb'), blob(IMAGE, UNPACKED)]],
    ['an image that was not unpacked', [MANIFEST, ...LAYERS, blob(IMAGE, {})]],
    ['an image without its config', [MANIFEST, ...LAYERS]],
    ['an image without a manifest', [...LAYERS, blob(IMAGE, UNPACKED)]],
    ['a manifest without layers', [blob('sha256:manifest', { 'containerd.io/gc.ref.content.config': IMAGE }), blob(IMAGE, UNPACKED)]],
  ])('null for %s', (_what, blobs) => {
    expect(diffIds(...blobs)).toBeNull();
  });
});
