import { createHash } from 'node:crypto';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import type { AnalysisPart, ImageAnalysis } from '../api/scan-report.ts';
import { decodePart, decodeRecipe, encodePart, encodeRecipe } from './analysis-form.ts';
import { PutRequestKeySchema, ScanRequestSchema } from './gen/trivy_pb.js';

/**
 * The same analysis with keys that are digests of what they stand for, in place of those that whoever read the image has given: nobody can put
 * something else in the place of what another has read. null where it is garbled, of another form or of another image.
 */
export function addressByContent(analysis: ImageAnalysis): ImageAnalysis | null {
  const recipe = decodeRecipe(analysis.recipe);
  if (recipe === null || recipe.imageId !== analysis.imageId) return null;
  const parts = new Map<string, AnalysisPart>();
  for (const part of analysis.parts) {
    const putBlob = decodePart(part);
    if (putBlob === null) return null;
    const key = digestOf(putBlob);
    const readdressed = withKey(putBlob, key);
    if (readdressed === null) return null;
    parts.set(part.key, encodePart(key, readdressed));
  }
  const artifactId = digestOf(recipe.putArtifact);
  const putArtifact = withKey(recipe.putArtifact, artifactId);
  const scan = readdress(recipe.scan, { artifactId, keyOf: (key) => parts.get(key)?.key });
  const partKeys = recipe.partKeys.flatMap((key) => parts.get(key)?.key ?? []);
  if (putArtifact === null || scan === null || partKeys.length < recipe.partKeys.length) return null;
  const { imageId } = recipe;
  return {
    ...analysis,
    parts: [...parts.values()],
    recipe: encodeRecipe({ imageId, partKeys, putArtifact, scan }),
  };
}

function digestOf(content: Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

/** The number of the field that is the key, in both requests. */
const KEY_FIELD = PutRequestKeySchema.field.id.number;

/**
 * The request with this key in place of any that it has. null where it is no whole message, or has a key that is no text: who wrote it may want it to be
 * read in another way by Trivy's server than here.
 */
function withKey(request: Uint8Array, id: string): Uint8Array | null {
  const pieces: Uint8Array[] = [toBinary(PutRequestKeySchema, create(PutRequestKeySchema, { id }))];
  const reader = new BinaryReader(request);
  try {
    while (reader.pos < reader.len) {
      const from = reader.pos;
      const [field, type] = reader.tag();
      if (type === WireType.StartGroup || type === WireType.EndGroup) return null;
      if (field === KEY_FIELD && type !== WireType.LengthDelimited) return null;
      reader.skip(type, field);
      if (field !== KEY_FIELD) pieces.push(request.subarray(from, reader.pos));
    }
  } catch {
    return null;
  }
  return Buffer.concat(pieces);
}

interface Addresses {
  readonly artifactId: string;
  readonly keyOf: (key: string) => string | undefined;
}

/** null where it asks for a part that is not there. */
function readdress(request: Uint8Array, { artifactId, keyOf }: Addresses): Uint8Array | null {
  try {
    const scan = fromBinary(ScanRequestSchema, request);
    const blobIds = scan.blobIds.flatMap((key) => keyOf(key) ?? []);
    if (blobIds.length < scan.blobIds.length) return null;
    return toBinary(ScanRequestSchema, { ...scan, artifactId, blobIds });
  } catch {
    return null;
  }
}
