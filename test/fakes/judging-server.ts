import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { onTestFinished } from 'vitest';
import type { ImageAnalysis } from '../../src/api/scan-report.ts';
import { encodePart, encodeRecipe } from '../../src/scan/analysis-form.ts';
import {
  DeleteBlobsRequestSchema,
  MissingBlobsRequestSchema,
  MissingBlobsResponseSchema,
  PutBlobRequestSchema,
  PutRequestKeySchema,
  ScanRequestSchema,
  ScanResponseSchema,
} from '../../src/scan/gen/trivy_pb.js';
import { RPC } from '../../src/scan/trivy-rpc.ts';

/** What the server does when it is asked for a verdict: it never answers, breaks off, breaks off and is gone, or says something that is none. */
export type Misbehaviour = 'hangs' | 'breaks off' | 'ends' | 'garbles';

/** A Trivy server that finds in each image one vulnerability, named after its database. */
export class JudgingServerInTest {
  database: string | null = '2026-01-01T00:00:00Z';
  version = '0.74.0';
  readonly calls: string[] = [];
  readonly stored = new Set<string>();
  /** By the id of an image. */
  readonly bad = new Map<string, Misbehaviour>();
  /** Whatever it is asked for but its version. */
  judgesNothing = false;
  /** It takes no calls. */
  isDown = false;
  /** Comes before each answer. */
  before: (path: string) => void | Promise<void> = () => undefined;
  readonly #connections = new Set<unknown>();
  readonly #imageOf = new Map<string, string>();

  /** Its address. */
  async start(): Promise<string> {
    const server = createServer((request, response) => void this.#answer(request, response)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    server.on('connection', (socket) => {
      this.#connections.add(socket);
      socket.once('close', () => this.#connections.delete(socket));
    });
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  }

  get connections(): number {
    return this.#connections.size;
  }

  count(path: string): number {
    return this.calls.filter((call) => call === path).length;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Buffer.concat(await request.toArray());
    const path = (request.url ?? '').slice(1);
    if (this.isDown) {
      response.destroy();
      return;
    }
    this.calls.push(path);
    await this.before(path);
    if (path === 'version') {
      response.setHeader('content-type', 'application/json');
      const { database } = this;
      response.end(
        JSON.stringify({ Version: this.version, ...(database === null ? {} : { VulnerabilityDB: { Version: 2, UpdatedAt: database } }) }),
      );
      return;
    }
    response.setHeader('content-type', 'application/protobuf');
    const misbehaviour = path === RPC.scan ? this.#misbehaviour(body) : undefined;
    if (misbehaviour === 'hangs') return;
    if (misbehaviour === 'ends') this.isDown = true;
    if (misbehaviour === 'ends' || misbehaviour === 'breaks off') response.destroy();
    else if (misbehaviour === 'garbles') response.end(Buffer.from([0xff]));
    else response.end(this.#result(path, body));
  }

  #misbehaviour(body: Buffer): Misbehaviour | undefined {
    if (this.judgesNothing) return 'hangs';
    const images = fromBinary(ScanRequestSchema, body).blobIds.map((key) => this.#imageOf.get(key) ?? '');
    return images.map((id) => this.bad.get(id)).find((each) => each !== undefined);
  }

  #result(path: string, body: Buffer): Uint8Array {
    if (path === RPC.putBlob) {
      const { id } = fromBinary(PutRequestKeySchema, body);
      this.stored.add(id);
      this.#imageOf.set(id, fromBinary(PutBlobRequestSchema, body).blobInfo?.diffId ?? '');
    }
    if (path === RPC.deleteBlobs) for (const id of fromBinary(DeleteBlobsRequestSchema, body).blobIds) this.stored.delete(id);
    if (path === RPC.missingBlobs) {
      const missingBlobIds = fromBinary(MissingBlobsRequestSchema, body).blobIds.filter((id) => !this.stored.has(id));
      return toBinary(MissingBlobsResponseSchema, create(MissingBlobsResponseSchema, { missingBlobIds }));
    }
    if (path !== RPC.scan) return new Uint8Array();
    const vulnerabilities = [{ vulnerabilityId: `CVE of ${this.database ?? 'some day'}`, pkgName: 'musl' }];
    const os = { family: 'alpine', name: '3.22.0' };
    return toBinary(ScanResponseSchema, create(ScanResponseSchema, { os, results: [{ class: 'os-pkgs', vulnerabilities }] }));
  }
}

/** What was read of an image with one layer, of so many bytes. */
export function readOf(imageId: string, bytes = 10): ImageAnalysis {
  const key = `layer of ${imageId}`;
  const blobInfo = { diffId: imageId, packageInfos: [{ filePath: 'x'.repeat(bytes) }] };
  const putBlob = toBinary(PutBlobRequestSchema, create(PutBlobRequestSchema, { diffId: key, blobInfo }));
  const scan = toBinary(ScanRequestSchema, create(ScanRequestSchema, { artifactId: 'a', blobIds: [key] }));
  const recipe = encodeRecipe({ imageId, partKeys: [key], putArtifact: Buffer.alloc(0), scan });
  return { imageId, scannerName: 'trivy', scannerVersion: '0.74.0', parts: [encodePart(key, putBlob)], recipe };
}
