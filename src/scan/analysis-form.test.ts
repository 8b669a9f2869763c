import { create, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePart, decodeRecipe, encodePart, encodeRecipe, type Recipe } from './analysis-form.ts';
import { PutBlobRequestSchema } from './gen/trivy_pb.js';

const bytes = fc.uint8Array({ maxLength: 200 });
const putBlob = (key: string): Uint8Array =>
  toBinary(PutBlobRequestSchema, create(PutBlobRequestSchema, { diffId: key, blobInfo: { diffId: 'sha256:1' } }));
const flip = (data: Uint8Array, at: number): Uint8Array => data.map((byte, index) => (index === at % data.length ? byte ^ 4 : byte));

describe('a part', () => {
  it('comes back as it was', () => {
    expect(decodePart(encodePart('sha256:a', putBlob('sha256:a')))).toEqual(Buffer.from(putBlob('sha256:a')));
  });

  it('is of use under its own key alone', () => {
    expect(decodePart({ ...encodePart('sha256:a', putBlob('sha256:a')), key: 'sha256:b' })).toBeNull();
  });

  it('is of no use where a bit of it is another, or a piece of it is gone', () => {
    const { key, data } = encodePart('sha256:a', putBlob('sha256:a'));
    for (let at = 0; at < data.length; at += 1) {
      expect(decodePart({ key, data: flip(data, at) })).toBeNull();
      expect(decodePart({ key, data: data.subarray(0, at) })).toBeNull();
    }
  });

  it('is of no use as anything else', () => {
    fc.assert(fc.property(bytes, (data) => decodePart({ key: 'sha256:a', data }) === null));
  });
});

describe('a recipe', () => {
  const recipe: Recipe = { imageId: 'sha256:1', partKeys: ['b', 'a', 'b'], putArtifact: Buffer.from('x'), scan: Buffer.from('y') };

  it('comes back as it was, its parts in their order', () => {
    expect(decodeRecipe(encodeRecipe(recipe))).toMatchObject({
      imageId: 'sha256:1',
      partKeys: ['b', 'a', 'b'],
      putArtifact: Buffer.from('x'),
      scan: Buffer.from('y'),
    });
  });

  it('is of no use where a bit of it is another', () => {
    const data = encodeRecipe(recipe);
    for (let at = 0; at < data.length; at += 1) expect(decodeRecipe(flip(data, at))).toBeNull();
  });
});
