import { create, fromBinary, toBinary, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import * as z from 'zod';
import { databaseTime } from './check-trivy-database.ts';
import {
  BlobInfoSchema,
  DeleteBlobsRequestSchema,
  MissingBlobsRequestSchema,
  MissingBlobsResponseSchema,
  PutArtifactRequestSchema,
  PutBlobRequestSchema,
  ScanRequestSchema,
  ScanResponseSchema,
} from './gen/trivy_pb.js';
import { parseTrivyJson } from './parse-trivy-json.ts';
import type { RpcAnswer, RpcCalls, RpcClient } from './rpc-client.ts';
import { scannerFault } from './scanner-fault.ts';

/** The paths of Trivy's interface, below the server's address. */
export const RPC = {
  missingBlobs: 'twirp/trivy.cache.v1.Cache/MissingBlobs',
  putBlob: 'twirp/trivy.cache.v1.Cache/PutBlob',
  putArtifact: 'twirp/trivy.cache.v1.Cache/PutArtifact',
  deleteBlobs: 'twirp/trivy.cache.v1.Cache/DeleteBlobs',
  scan: 'twirp/trivy.scanner.v1.Scanner/Scan',
} as const;

const versionSchema = z.object({
  Version: z.string().min(1),
  VulnerabilityDB: z
    .object({
      Version: z.number().optional(),
      UpdatedAt: z.iso.datetime({ offset: true }),
      NextUpdate: z.string().optional(),
      DownloadedAt: z.string().optional(),
    })
    .nullish(),
});

export interface ServerVersion {
  readonly version: string;
  /** null: the server does not tell. */
  readonly databaseUpdatedAt: string | null;
  /** The server's name and all that it tells of its database, when it was loaded included; null: it does not tell. */
  readonly databaseMark: string | null;
}

/** Parses a message of Trivy's; null when it is none. */
export function parseMessage<Schema extends DescMessage>(schema: Schema, bytes: Uint8Array): MessageShape<Schema> | null {
  try {
    return fromBinary(schema, bytes, { readUnknownFields: false });
  } catch {
    return null;
  }
}

export async function readServerVersion(client: RpcClient, signal: AbortSignal): Promise<ServerVersion> {
  const { Version, VulnerabilityDB } = parseTrivyJson(await client.get('version', signal), versionSchema, {
    what: 'version',
    by: `What is at ${client.server.base.href}`,
    code: 'server-bad-answer',
  });
  if (!VulnerabilityDB) return { version: Version, databaseUpdatedAt: null, databaseMark: null };
  return {
    version: Version,
    databaseUpdatedAt: databaseTime(VulnerabilityDB.UpdatedAt),
    databaseMark: `server:${client.server.name ?? client.server.base.href} ${JSON.stringify(VulnerabilityDB)}`,
  };
}

/** Which of these blobs the server does not hold. Proves also that the server takes the token. */
export async function readMissingBlobs(client: RpcCalls, blobIds: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>> {
  const request = create(MissingBlobsRequestSchema, { artifactId: 'sha256:none', blobIds: [...blobIds] });
  const answer = await client.call(RPC.missingBlobs, toBinary(MissingBlobsRequestSchema, request), signal);
  const response = parseMessage(MissingBlobsResponseSchema, accepted(client, answer));
  if (response === null) throw unreadable(client);
  return new Set(response.missingBlobIds);
}

export async function deleteBlobs(client: RpcCalls, blobIds: readonly string[], signal: AbortSignal): Promise<void> {
  const request = create(DeleteBlobsRequestSchema, { blobIds: [...blobIds] });
  accepted(client, await client.call(RPC.deleteBlobs, toBinary(DeleteBlobsRequestSchema, request), signal));
}

/** Has the server judge an Alpine with one package: it stores, finds its database, and looks a package up in it. */
export async function selfTestServer(client: RpcCalls, signal: AbortSignal): Promise<void> {
  const id = 'image-cleaner-self-test';
  const blob = create(PutBlobRequestSchema, {
    diffId: id,
    blobInfo: create(BlobInfoSchema, {
      schemaVersion: 2,
      diffId: id,
      os: { family: 'alpine', name: '3.22.0' },
      packageInfos: [
        { filePath: 'lib/apk/db/installed', packages: [{ name: 'musl', version: '1.2.5-r10', srcName: 'musl', srcVersion: '1.2.5-r10' }] },
      ],
    }),
  });
  const artifact = create(PutArtifactRequestSchema, { artifactId: id, artifactInfo: { schemaVersion: 1 } });
  const scan = create(ScanRequestSchema, {
    artifactId: id,
    blobIds: [id],
    options: { pkgTypes: ['os', 'library'], scanners: ['vuln'] },
  });
  accepted(client, await client.call(RPC.putBlob, toBinary(PutBlobRequestSchema, blob), signal));
  accepted(client, await client.call(RPC.putArtifact, toBinary(PutArtifactRequestSchema, artifact), signal));
  const answer = accepted(client, await client.call(RPC.scan, toBinary(ScanRequestSchema, scan), signal));
  if (parseMessage(ScanResponseSchema, answer)?.os?.family !== 'alpine') throw unreadable(client);
  await deleteBlobs(client, [id], signal);
}

function accepted(client: RpcCalls, answer: RpcAnswer): Buffer {
  if (answer.kind === 'answered') return answer.body;
  throw scannerFault('server-failed', `The Trivy server at ${client.server.base.href} fails: ${answer.message.slice(0, 500)}`);
}

function unreadable(client: RpcCalls): Error {
  return scannerFault('server-bad-answer', `The answer of the Trivy server at ${client.server.base.href} cannot be read.`);
}
