import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import type { ImageAnalysis } from '../api/scan-report.ts';
import { addressByContent } from './address-by-content.ts';
import { decodePart, decodeRecipe, encodePart, encodeRecipe } from './analysis-form.ts';
import { PutArtifactRequestSchema, PutBlobRequestSchema, PutRequestKeySchema, ScanRequestSchema } from './gen/trivy_pb.js';

const IMAGE = 'sha256:aa';

/** As Trivy's request that stores a layer with one package. */
const putBlob = (diffId: string, name: string): Uint8Array =>
  toBinary(
    PutBlobRequestSchema,
    create(PutBlobRequestSchema, { diffId, blobInfo: { packageInfos: [{ filePath: 'lib/apk/db/installed', packages: [{ name }] }] } }),
  );

interface Layers {
  readonly layers: Readonly<Record<string, string>>;
  readonly asked?: readonly string[];
}

/** `layers`: by the key that the reader gives, a package. */
function analysis({ layers, asked = Object.keys(layers) }: Layers): ImageAnalysis {
  const putArtifact = toBinary(
    PutArtifactRequestSchema,
    create(PutArtifactRequestSchema, { artifactId: 'sha256:artifact', artifactInfo: { schemaVersion: 1 } }),
  );
  const scan = toBinary(
    ScanRequestSchema,
    create(ScanRequestSchema, { artifactId: 'sha256:artifact', blobIds: [...asked], options: { scanners: ['vuln'] } }),
  );
  return {
    imageId: IMAGE,
    scannerName: 'trivy',
    scannerVersion: '0.74.0',
    parts: Object.entries(layers).map(([key, name]) => encodePart(key, putBlob(key, name))),
    recipe: encodeRecipe({ imageId: IMAGE, partKeys: [...asked], putArtifact, scan }),
  };
}

function requestsOf(addressed: ImageAnalysis | null) {
  if (addressed === null) throw new Error('it is of no use');
  const recipe = decodeRecipe(addressed.recipe);
  if (recipe === null) throw new Error('its recipe cannot be read');
  const blobs = addressed.parts.map((part) => fromBinary(PutBlobRequestSchema, decodePart(part) ?? new Uint8Array()));
  return { recipe, blobs, scan: fromBinary(ScanRequestSchema, recipe.scan) };
}

describe('an analysis by content', () => {
  test('asks for the same, by keys that are digests of what they stand for', () => {
    const addressed = addressByContent(analysis({ layers: { 'sha256:one': 'musl', 'sha256:two': 'openssl' } }));
    const { recipe, blobs, scan } = requestsOf(addressed);
    const keys = addressed?.parts.map(({ key }) => key) ?? [];
    expect(keys).toHaveLength(2);
    for (const key of keys) expect(key).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(blobs.map(({ diffId, blobInfo }) => [diffId, blobInfo?.packageInfos[0]?.packages[0]?.name])).toEqual([
      [keys[0], 'musl'],
      [keys[1], 'openssl'],
    ]);
    expect(recipe.partKeys).toEqual(keys);
    expect(scan).toMatchObject({ blobIds: keys, options: { scanners: ['vuln'] } });
    expect(scan.artifactId).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(fromBinary(PutRequestKeySchema, recipe.putArtifact).id).toBe(scan.artifactId);
    expect(fromBinary(PutArtifactRequestSchema, recipe.putArtifact).artifactInfo?.schemaVersion).toBe(1);
  });

  test('the same content has the same key, another content under the same name another one', () => {
    const keyOf = (name: string): string | undefined => addressByContent(analysis({ layers: { 'sha256:one': name } }))?.parts[0]?.key;
    expect(keyOf('musl')).toBe(keyOf('musl'));
    expect(keyOf('musl')).not.toBe(keyOf('no-musl'));
  });

  /** Of one layer, whose request is this. */
  const withRequest = (key: string, request: Uint8Array): ImageAnalysis => ({
    ...analysis({ layers: { [key]: 'musl' } }),
    parts: [encodePart(key, request)],
  });
  const text = (field: number, content: string | Uint8Array): Buffer =>
    Buffer.concat([Buffer.from([(field << 3) | 2, content.length]), Buffer.from(content)]);

  test('has one key alone, whatever the request had: the last, and no other', () => {
    const twice = Buffer.concat([text(1, 'sha256:of-another'), putBlob('a', 'musl')]);
    const addressed = addressByContent(withRequest('a', twice));
    const [key = ''] = addressed?.parts.map((part) => part.key) ?? [];
    const [request = new Uint8Array()] = addressed?.parts.map((part) => decodePart(part) ?? undefined) ?? [];
    expect(Buffer.from(request).includes('sha256:of-another')).toBe(false);
    expect(Buffer.from(request).subarray(0, key.length + 2)).toEqual(text(1, key));
  });

  test.each<[string, Uint8Array]>([
    // What follows would be swallowed by it.
    ['ends in a field that is not whole', Buffer.concat([putBlob('a', 'musl'), Buffer.from([0x7a, 0x49])])],
    ['ends in a number that is not whole', Buffer.concat([putBlob('a', 'musl'), Buffer.from([0x78, 0xff])])],
    ['ends in a fixed number that is not whole', Buffer.concat([putBlob('a', 'musl'), Buffer.from([0x7d, 0x01])])],
    ['ends in half a tag', Buffer.concat([putBlob('a', 'musl'), Buffer.from([0xf8])])],
    // A number to one reader, and the beginning of a text to another.
    ['has a key that is a number', Buffer.concat([Buffer.from([0x08, 0x02]), text(1, 'a')])],
    ['has a group', Buffer.concat([putBlob('a', 'musl'), Buffer.from([0x7b, 0x7c])])],
  ])('a request that %s is of no use', (_, request) => {
    expect(addressByContent(withRequest('a', request))).toBeNull();
    const whole = analysis({ layers: { a: 'musl' } });
    const recipe = decodeRecipe(whole.recipe);
    if (recipe === null) throw new Error('no recipe');
    expect(addressByContent({ ...whole, recipe: encodeRecipe({ ...recipe, putArtifact: request }) })).toBeNull();
  });

  /** The lists of a recipe, which say the same where it is whole. */
  const listing = (partKeys: readonly string[], blobIds: readonly string[]): ImageAnalysis => {
    const whole = analysis({ layers: { a: 'musl', b: 'openssl' } });
    const recipe = decodeRecipe(whole.recipe);
    if (recipe === null) throw new Error('no recipe');
    const scan = toBinary(ScanRequestSchema, { ...fromBinary(ScanRequestSchema, recipe.scan), blobIds: [...blobIds] });
    return { ...whole, recipe: encodeRecipe({ ...recipe, partKeys: [...partKeys], scan }) };
  };

  test('names a layer as often as it was named', () => {
    const { recipe, scan } = requestsOf(addressByContent(listing(['a', 'b', 'a'], ['a', 'b', 'a'])));
    expect([recipe.partKeys.length, scan.blobIds.length]).toEqual([3, 3]);
  });

  test('counts a part that is there twice once', () => {
    const whole = analysis({ layers: { a: 'musl' } });
    expect(addressByContent({ ...whole, parts: [...whole.parts, ...whole.parts] })?.parts).toHaveLength(1);
  });

  test.each([
    ['a part in its list that is not there', listing(['a', 'b', 'c'], ['a', 'b'])],
    ['a part in its request that is not there', listing(['a', 'b'], ['a', 'b', 'c'])],
    ['a recipe that is garbled', { ...analysis({ layers: { a: 'musl' } }), recipe: Buffer.from('x') }],
    ['a recipe of another image', { ...analysis({ layers: { a: 'musl' } }), imageId: 'sha256:bb' }],
    ['a part that is garbled', { ...analysis({ layers: { a: 'musl' } }), parts: [{ key: 'a', data: Buffer.from('x') }] }],
    ['a part under the key of another', { ...analysis({ layers: { a: 'musl' } }), parts: [encodePart('a', putBlob('b', 'musl'))] }],
    ['a part that is not there', analysis({ layers: { a: 'musl' }, asked: ['a', 'b'] })],
  ])('is of no use with %s', (_, given) => {
    expect(addressByContent(given)).toBeNull();
  });
});
