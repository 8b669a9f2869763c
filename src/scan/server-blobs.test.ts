import { fromBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { DeleteBlobsRequestSchema } from './gen/trivy_pb.js';
import type { JudgingServer } from './judging-server.ts';
import type { RpcCalls } from './rpc-client.ts';
import { ServerBlobs } from './server-blobs.ts';
import { RPC } from './trivy-rpc.ts';

const signal = new AbortController().signal;

/** A server that takes everything, and the blobs that it was told to delete. */
function recordDeletions(isOurs: boolean): { server: Pick<JudgingServer, 'client' | 'isOurs'>; deleted: string[] } {
  const deleted: string[] = [];
  const client: RpcCalls = {
    server: { base: new URL('http://127.0.0.1/') },
    call(path, body) {
      if (path === RPC.deleteBlobs) deleted.push(...fromBinary(DeleteBlobsRequestSchema, body).blobIds);
      return Promise.resolve({ kind: 'answered', body: Buffer.alloc(0) });
    },
  };
  return { server: { isOurs, client }, deleted };
}

describe('ServerBlobs', () => {
  it('has deleted what nobody needs, once it is too much', async () => {
    const { server, deleted } = recordDeletions(true);
    const blobs = new ServerBlobs(server, 10);
    const [releaseFirst, releaseSecond] = [blobs.hold(['base', 'a']), blobs.hold(['base', 'b'])];
    await blobs.put('base', Buffer.alloc(6), signal);
    await blobs.put('a', Buffer.alloc(6), signal);
    releaseFirst();
    expect(deleted).toEqual(['a']);
    await blobs.put('b', Buffer.alloc(3), signal);
    releaseSecond();
    expect(deleted).toEqual(['a']);
    const release = blobs.hold(['c']);
    await blobs.put('c', Buffer.alloc(3), signal);
    release();
    expect(deleted).toEqual(['a', 'base', 'b', 'c']);
  });

  it("leaves the user's server what it has", async () => {
    const { server, deleted } = recordDeletions(false);
    const blobs = new ServerBlobs(server, 10);
    const release = blobs.hold(['a']);
    await blobs.put('a', Buffer.alloc(100), signal);
    release();
    expect(deleted).toEqual([]);
  });
});
