import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ImageAnalysis } from '../api/scan-report.ts';
import { createAnalysisJudge, type AnalysisJudge } from './analysis-judge.ts';
import { encodePart, encodeRecipe } from './analysis-form.ts';
import {
  DeleteBlobsRequestSchema,
  MissingBlobsRequestSchema,
  MissingBlobsResponseSchema,
  PutBlobRequestSchema,
  PutRequestKeySchema,
  ScanRequestSchema,
  ScanResponseSchema,
} from './gen/trivy_pb.js';
import { RPC } from './trivy-rpc.ts';

const { signal } = new AbortController();

/** A Trivy server that finds in each image one vulnerability, named after its database. */
class JudgingServerInTest {
  database = '2026-01-01T00:00:00Z';
  readonly calls: string[] = [];
  readonly stored = new Set<string>();
  /** Comes before each answer. */
  before: (path: string) => void = () => undefined;

  async start(): Promise<AnalysisJudge> {
    const server = createServer((request, response) => void this.#answer(request, response)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const judge = createAnalysisJudge({ url: `http://127.0.0.1:${port}`, name: 'cluster', timeoutMs: 5_000 });
    onTestFinished(() => {
      judge.close();
      server.close();
    });
    return judge;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Buffer.concat(await request.toArray());
    const path = (request.url ?? '').slice(1);
    this.calls.push(path);
    this.before(path);
    if (path === 'version') {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ Version: '0.74.0', VulnerabilityDB: { Version: 2, UpdatedAt: this.database } }));
      return;
    }
    response.setHeader('content-type', 'application/protobuf');
    response.end(this.#result(path, body));
  }

  #result(path: string, body: Buffer): Uint8Array {
    if (path === RPC.putBlob) this.stored.add(fromBinary(PutRequestKeySchema, body).id);
    if (path === RPC.deleteBlobs) for (const id of fromBinary(DeleteBlobsRequestSchema, body).blobIds) this.stored.delete(id);
    if (path === RPC.missingBlobs) {
      const missingBlobIds = fromBinary(MissingBlobsRequestSchema, body).blobIds.filter((id) => !this.stored.has(id));
      return toBinary(MissingBlobsResponseSchema, create(MissingBlobsResponseSchema, { missingBlobIds }));
    }
    if (path !== RPC.scan) return new Uint8Array();
    const vulnerabilities = [{ vulnerabilityId: `CVE of ${this.database}`, pkgName: 'musl' }];
    return toBinary(ScanResponseSchema, create(ScanResponseSchema, { results: [{ class: 'os-pkgs', vulnerabilities }] }));
  }
}

function analysisOf(imageId: string, bytes = 10): ImageAnalysis {
  const key = `layer of ${imageId}`;
  const putBlob = toBinary(PutBlobRequestSchema, create(PutBlobRequestSchema, { diffId: key, blobInfo: { diffId: 'x'.repeat(bytes) } }));
  const scan = toBinary(ScanRequestSchema, create(ScanRequestSchema, { artifactId: 'a', blobIds: [key] }));
  const recipe = encodeRecipe({ imageId, partKeys: [key], putArtifact: Buffer.alloc(0), scan });
  return { imageId, scannerName: 'trivy', scannerVersion: '0.74.0', parts: [encodePart(key, putBlob)], recipe };
}

const count = (calls: readonly string[], path: string): number => calls.filter((call) => call === path).length;

describe('a judge of analyses', () => {
  test('says what the database of now has of each, and by which', async () => {
    const server = new JudgingServerInTest();
    const judge = await server.start();
    const [first, second] = await judge.judge([analysisOf('sha256:a'), analysisOf('sha256:b')], signal);
    expect([first?.imageId, second?.imageId]).toEqual(['sha256:a', 'sha256:b']);
    expect(first?.findings.map(({ id }) => id)).toEqual(['CVE of 2026-01-01T00:00:00Z']);
    expect(first?.scanner).toEqual(await judge.scanner('0.74.0', signal));
    expect(first?.scanner).toMatchObject({ databaseUpdatedAt: '2026-01-01T00:00:00.000Z', version: '0.74.0' });
  });

  test('a database that is loaded in the middle: all are judged by it', async () => {
    const server = new JudgingServerInTest();
    const judge = await server.start();
    server.before = (path) => {
      if (path === RPC.scan && count(server.calls, RPC.scan) === 2) server.database = '2026-01-02T00:00:00Z';
    };
    const reports = await judge.judge([analysisOf('sha256:a'), analysisOf('sha256:b')], signal);
    for (const report of reports) {
      expect(report?.scanner.databaseUpdatedAt).toBe('2026-01-02T00:00:00.000Z');
      expect(report?.findings.map(({ id }) => id)).toEqual(['CVE of 2026-01-02T00:00:00Z']);
    }
  });

  test('one that changes all the time is a fault that may pass', async () => {
    const server = new JudgingServerInTest();
    const judge = await server.start();
    let days = 1;
    server.before = (path) => {
      if (path === RPC.scan) server.database = `2026-01-0${String((days += 1))}T00:00:00Z`;
    };
    await expect(judge.judge([analysisOf('sha256:a')], signal)).rejects.toMatchObject({ code: 'database-changed', action: 'retry' });
  });

  test('what the server has it is not told again; what it needs no more it is told to forget', async () => {
    const server = new JudgingServerInTest();
    const judge = await server.start();
    await judge.judge([analysisOf('sha256:a')], signal);
    await judge.judge([analysisOf('sha256:a')], signal);
    expect(count(server.calls, RPC.putBlob)).toBe(1);
    await judge.judge([analysisOf('sha256:large', 33 * 1024 * 1024)], signal);
    await judge.judge([analysisOf('sha256:b')], signal);
    expect([...server.stored]).toEqual(['layer of sha256:b']);
  });

  test.each([
    ['of another version than the others', { ...analysisOf('sha256:b'), scannerVersion: '0.75.0' }],
    ['that is garbled', { ...analysisOf('sha256:b'), recipe: Buffer.from('x') }],
    ['that lacks a part', { ...analysisOf('sha256:b'), parts: [] }],
  ])('one %s is of no use; the others are judged', async (_, useless) => {
    const judge = await new JudgingServerInTest().start();
    const [first, second] = await judge.judge([analysisOf('sha256:a'), useless], signal);
    expect([first?.imageId, second]).toEqual(['sha256:a', null]);
  });

  test('a server that is away is a fault that may pass', async () => {
    const judge = createAnalysisJudge({ url: 'http://127.0.0.1:1', name: 'cluster', timeoutMs: 1_000 });
    onTestFinished(() => judge.close());
    await expect(judge.judge([analysisOf('sha256:a')], signal)).rejects.toMatchObject({ code: 'server-unreachable', action: 'retry' });
    await expect(judge.scanner(null, signal)).rejects.toMatchObject({ code: 'server-unreachable' });
  });
});
