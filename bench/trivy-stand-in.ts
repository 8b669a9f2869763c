import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  MissingBlobsRequestSchema,
  MissingBlobsResponseSchema,
  PutRequestKeySchema,
  ScanResponseSchema,
} from '../src/scan/gen/trivy_pb.js';
import { RPC } from '../src/scan/trivy-rpc.ts';

const FINDINGS = 20;
const DATABASE = {
  Version: 2,
  UpdatedAt: '2026-11-22T00:00:00Z',
  NextUpdate: '2026-11-23T00:00:00Z',
  DownloadedAt: '2026-11-22T01:00:00Z',
};

/** In the place of Trivy's server, for a benchmark of who calls it: it keeps what it is told, and finds the same in every image. */
export async function startTrivyStandIn(): Promise<{ readonly url: string; close(): Promise<void> }> {
  const stored = new Set<string>();
  const vulnerabilities = Array.from({ length: FINDINGS }, (_, at) => ({
    vulnerabilityId: `CVE-2026-${String(10_000 + at)}`,
    pkgName: `package-${String(at)}`,
    installedVersion: '1.0.0-r1',
    fixedVersion: '1.0.1-r0',
    severity: at % 5,
    status: 3,
  }));
  const found = create(ScanResponseSchema, { os: { family: 'alpine', name: '3.22.0' }, results: [{ class: 'os-pkgs', vulnerabilities }] });
  const verdict = toBinary(ScanResponseSchema, found);
  const answer = (path: string, body: Uint8Array): Uint8Array => {
    if (path === RPC.scan) return verdict;
    if (path === RPC.putBlob) stored.add(fromBinary(PutRequestKeySchema, body).id);
    if (path !== RPC.missingBlobs) return new Uint8Array();
    const missingBlobIds = fromBinary(MissingBlobsRequestSchema, body).blobIds.filter((id) => !stored.has(id));
    return toBinary(MissingBlobsResponseSchema, create(MissingBlobsResponseSchema, { missingBlobIds }));
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = Buffer.concat(await request.toArray());
    const path = (request.url ?? '').slice(1);
    if (path === 'version') {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ Version: '0.74.0', VulnerabilityDB: DATABASE }));
      return;
    }
    response.writeHead(200, { 'content-type': 'application/protobuf' }).end(answer(path, body));
  };
  const server = createServer((request, response) => void serve(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}`,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close').catch(() => undefined);
    },
  };
}
