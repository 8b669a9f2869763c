/**
 * `POST /v1/runs/{job}/nodes/{node}/trivy/calls`: what Trivy as a client tells and asks its server in the scan of one image, in one body. The
 * coordinator passes the calls on in their order, and answers as the server answers the last one, or the first that it refuses.
 */

/** What may be passed on, below the server's address. Nothing else: what a worker could delete may be of another node. */
export const TRIVY_RPC_PATHS = [
  'twirp/trivy.cache.v1.Cache/PutBlob',
  'twirp/trivy.cache.v1.Cache/PutArtifact',
  'twirp/trivy.scanner.v1.Scanner/Scan',
] as const;

export interface TrivyRpc {
  readonly path: (typeof TRIVY_RPC_PATHS)[number];
  /** In protobuf, as Trivy made it. */
  readonly body: Uint8Array;
}

export const TRIVY_CALLS_TYPE = 'application/octet-stream';
/** Of an answer: what the server told of itself and its database (its page `version`) after the last call, in base64. */
export const TRIVY_VERSION_HEADER = 'image-cleaner-trivy-version';
/** Of one body; what is more goes in several. A layer of ten thousand packages has 5 MiB, and an image seldom more than a hundred layers. */
export const MOST_TRIVY_CALLS_BYTES = 32 * 1024 * 1024;
export const MOST_TRIVY_CALLS = 256;

/** The path's number (1 byte) and the length (4 bytes, big-endian). */
const HEAD_BYTES = 5;

/** How many bytes of a body the call takes. */
export function trivyRpcBytes({ body }: TrivyRpc): number {
  return HEAD_BYTES + body.length;
}

export function encodeTrivyCalls(calls: readonly TrivyRpc[]): Buffer {
  return Buffer.concat(
    calls.flatMap(({ path, body }) => {
      const head = Buffer.alloc(HEAD_BYTES);
      head.writeUInt8(TRIVY_RPC_PATHS.indexOf(path));
      head.writeUInt32BE(body.length, 1);
      return [head, body];
    }),
  );
}

/** null: it holds something else, or is cut off, or holds nothing, or too many calls. */
export function decodeTrivyCalls(bytes: Buffer): (TrivyRpc & { readonly body: Buffer })[] | null {
  const calls: (TrivyRpc & { readonly body: Buffer })[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < HEAD_BYTES || calls.length === MOST_TRIVY_CALLS) return null;
    const path = TRIVY_RPC_PATHS[bytes.readUInt8(at)];
    const from = at + HEAD_BYTES;
    at = from + bytes.readUInt32BE(at + 1);
    if (path === undefined || at > bytes.length) return null;
    calls.push({ path, body: bytes.subarray(from, at) });
  }
  return calls.length === 0 ? null : calls;
}
