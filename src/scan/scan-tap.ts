import { create, toBinary } from '@bufbuild/protobuf';
import type { AnalysisPart, ImageAnalysis } from '../api/scan-report.ts';
import { encodePart, encodeRecipe } from './analysis-form.ts';
import { refusal, success, type CallAnswer, type CallHandler } from './call-answer.ts';
import { MissingBlobsRequestSchema, MissingBlobsResponseSchema, PutRequestKeySchema, ScanRequestSchema } from './gen/trivy_pb.js';
import type { Judge } from './judge.ts';
import type { RpcAnswer } from './rpc-client.ts';
import { parseMessage, RPC } from './trivy-rpc.ts';

/** Passes on what Trivy sends to its server in the scan of one image, and keeps it: that is the analysis of the image. */
export class ScanTap implements CallHandler {
  /** What went wrong with a call, through no fault of the image's; null: nothing. */
  failure: { readonly error: unknown } | null = null;
  /** What the server said last as it refused a call; null: nothing. */
  refusedBecause: string | null = null;
  readonly #judge: Judge;
  readonly #parts = new Map<string, Uint8Array>();
  readonly #artifacts = new Map<string, Uint8Array>();
  #scan: Uint8Array | null = null;
  #releases: (() => void)[] = [];

  constructor(judge: Judge) {
    this.#judge = judge;
  }

  async answer(path: string, body: Uint8Array, signal: AbortSignal): Promise<CallAnswer> {
    try {
      return await this.#answer(path, body, signal);
    } catch (error) {
      // A Trivy that was ended in the middle of a call is no fault of the server's.
      if (!signal.aborted) this.failure ??= { error };
      return refusal(500, 'internal', 'the server failed');
    }
  }

  /** All that Trivy read out of the image; null where a piece of it went unseen. */
  analysis(imageId: string): ImageAnalysis | null {
    const scan = this.#scan;
    const request = scan === null ? null : parseMessage(ScanRequestSchema, scan);
    const putArtifact = request === null ? undefined : this.#artifacts.get(request.artifactId);
    if (scan === null || request === null || putArtifact === undefined) return null;
    const partKeys = request.blobIds;
    const parts: AnalysisPart[] = [];
    for (const key of new Set(partKeys)) {
      const part = this.#parts.get(key);
      if (part === undefined) return null;
      parts.push(encodePart(key, part));
    }
    const { name, version } = this.#judge.scanner;
    return { imageId, scannerName: name, scannerVersion: version, parts, recipe: encodeRecipe({ imageId, partKeys, putArtifact, scan }) };
  }

  /** The scan is over: the server need not keep anything for it. */
  close(): void {
    for (const release of this.#releases) release();
    this.#releases = [];
  }

  async #answer(path: string, body: Uint8Array, signal: AbortSignal): Promise<CallAnswer> {
    const { blobs, server } = this.#judge;
    switch (path) {
      case RPC.missingBlobs:
        return await this.#findMissing(body, signal);
      case RPC.putBlob: {
        const key = parseMessage(PutRequestKeySchema, body)?.id ?? '';
        const answer = await blobs.put(key, body, signal);
        if (answer.kind === 'answered') this.#keepPart(key, body);
        return this.#passOn(answer);
      }
      case RPC.putArtifact:
        this.#artifacts.set(parseMessage(PutRequestKeySchema, body)?.id ?? '', body);
        return this.#passOn(await server.client.call(path, body, signal));
      case RPC.scan:
        this.#scan = body;
        return this.#passOn(await server.client.call(path, body, signal));
      default:
        return refusal(404, 'bad_route', 'no such call');
    }
  }

  /**
   * Which layers Trivy has to read. Not those that are known from an earlier run: the server is given them. But also those that the server has
   * and we do not know, since the analysis would lack them.
   */
  async #findMissing(body: Uint8Array, signal: AbortSignal): Promise<CallAnswer> {
    const request = parseMessage(MissingBlobsRequestSchema, body);
    if (request === null) return refusal(400, 'malformed', 'the request cannot be read');
    const keys = [...new Set(request.blobIds)];
    const { blobs } = this.#judge;
    this.#releases.push(blobs.hold(keys));
    const missingThere = await blobs.missing(keys, signal);
    const missing: string[] = [];
    for (const key of keys) {
      const part = await this.#judge.knownPart(key);
      if (part !== null && (!missingThere.has(key) || (await blobs.put(key, part, signal)).kind === 'answered')) {
        this.#keepPart(key, part);
      } else missing.push(key);
    }
    // What the configuration tells is asked for anew each time: it is little, and part of the analysis.
    const response = create(MissingBlobsResponseSchema, { missingArtifact: true, missingBlobIds: missing });
    return success(toBinary(MissingBlobsResponseSchema, response));
  }

  #keepPart(key: string, part: Uint8Array): void {
    this.#parts.set(key, part);
    this.#judge.parts.set(key, part);
  }

  #passOn(answer: RpcAnswer): CallAnswer {
    if (answer.kind === 'answered') return success(answer.body);
    this.refusedBecause = answer.message;
    return answer.code === 'unavailable'
      ? refusal(500, 'internal', answer.message)
      : { status: answer.status, type: 'application/json', body: answer.body };
  }
}
