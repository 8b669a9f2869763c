import { crc32 } from 'node:zlib';
import { create, toBinary } from '@bufbuild/protobuf';
import type { AnalysisPart } from '../api/scan-report.ts';
import { AnalysisRecipeSchema, PutRequestKeySchema } from './gen/trivy_pb.js';
import { parseMessage } from './trivy-rpc.ts';

/**
 * The form in which analyses are kept. It is raised when the requests are kept in another way, and when other arguments make Trivy read or ask
 * for something else: what an earlier form holds is then read anew.
 */
const FORM = 1;
const MAGIC = Buffer.from('ICTA');
const HEADER_SIZE = MAGIC.length + 1 + 4;

/** A frame tells what is whole, and of this form: magic, form, CRC-32 of the content, content. */
function frame(content: Uint8Array): Buffer {
  const header = Buffer.alloc(HEADER_SIZE);
  MAGIC.copy(header);
  header.writeUInt8(FORM, MAGIC.length);
  header.writeUInt32LE(crc32(content), MAGIC.length + 1);
  return Buffer.concat([header, content]);
}

function unframe(data: Uint8Array): Uint8Array | null {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (bytes.length < HEADER_SIZE || !bytes.subarray(0, MAGIC.length).equals(MAGIC) || bytes.readUInt8(MAGIC.length) !== FORM) return null;
  const content = bytes.subarray(HEADER_SIZE);
  return crc32(content) === bytes.readUInt32LE(MAGIC.length + 1) ? content : null;
}

/** `putBlob`: Trivy's request that stores this part at a server, as it was sent. */
export function encodePart(key: string, putBlob: Uint8Array): AnalysisPart {
  return { key, data: frame(putBlob) };
}

/** The request that stores the part at a server; null where the part is garbled, of another form, or another one. */
export function decodePart({ key, data }: AnalysisPart): Uint8Array | null {
  const putBlob = unframe(data);
  return putBlob !== null && parseMessage(PutRequestKeySchema, putBlob)?.id === key ? putBlob : null;
}

export interface Recipe {
  readonly imageId: string;
  /** The parts in the image's order, the lowest first. */
  readonly partKeys: readonly string[];
  /** Trivy's request that stores what the image's configuration tells, as it was sent. */
  readonly putArtifact: Uint8Array;
  /** Trivy's request for the verdict, as it was sent. */
  readonly scan: Uint8Array;
}

export function encodeRecipe({ imageId, partKeys, putArtifact, scan }: Recipe): Uint8Array {
  return frame(toBinary(AnalysisRecipeSchema, create(AnalysisRecipeSchema, { imageId, partKeys: [...partKeys], putArtifact, scan })));
}

/** null where the recipe is garbled, or of another form. */
export function decodeRecipe(data: Uint8Array): Recipe | null {
  const content = unframe(data);
  return content === null ? null : parseMessage(AnalysisRecipeSchema, content);
}
