import http2 from 'node:http2';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { listen, temporarySocketPath } from '../../test/fakes/test-runtime-server.ts';
import { InfoSchema, ListContentResponseSchema, Content } from './gen/containerd_content_pb.js';
import { ImageService, ListImagesResponseSchema } from './gen/cri_pb.js';
import { createGrpcClient, type GrpcClient } from './grpc-client.ts';
import { UnixSession } from './unix-session.ts';

const { signal } = new AbortController();
const OPTIONS = { signal, timeoutMs: 10_000 };
const GRPC = { ':status': 200, 'content-type': 'application/grpc' };
const ANSWER = toBinary(ListImagesResponseSchema, create(ListImagesResponseSchema, { images: [{ id: 'sha256:1' }] }));

function frame(message: Uint8Array, flag = 0): Buffer {
  const head = Buffer.from([flag, 0, 0, 0, 0]);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** A server that answers each call by hand. */
async function serve(answer: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void): Promise<UnixSession> {
  const server = http2.createServer();
  server.on('stream', (stream, headers) => {
    // What the test breaks off is broken off here too.
    stream.on('error', () => undefined);
    answer(stream, headers);
  });
  const socketPath = await temporarySocketPath();
  await listen(server, socketPath);
  const session = new UnixSession(socketPath);
  onTestFinished(async () => {
    session.close();
    server.close();
    await rm(path.dirname(socketPath), { recursive: true });
  });
  return session;
}

async function images(answer: Parameters<typeof serve>[0]): Promise<GrpcClient<typeof ImageService>> {
  return createGrpcClient(ImageService, await serve(answer));
}

/** An answer with these trailers and this body, in these pieces. */
function respond(stream: http2.ServerHttp2Stream, trailers: http2.OutgoingHttpHeaders, ...pieces: readonly Uint8Array[]): void {
  stream.respond(GRPC, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  for (const piece of pieces) stream.write(piece);
  stream.end();
}

describe('a gRPC call', () => {
  test('sends what gRPC asks for and reads the answer', async () => {
    const seen: http2.IncomingHttpHeaders[] = [];
    const client = await images((stream, headers) => {
      seen.push(headers);
      respond(stream, { 'grpc-status': '0' }, frame(ANSWER));
    });
    const answer = await client.listImages({}, { ...OPTIONS, headers: { 'containerd-namespace': 'k8s.io' } });
    expect(answer.images.map(({ id }) => id)).toEqual(['sha256:1']);
    expect(seen).toMatchObject([
      {
        ':method': 'POST',
        ':path': '/runtime.v1.ImageService/ListImages',
        'content-type': 'application/grpc',
        te: 'trailers',
        'grpc-timeout': '10000m',
        'containerd-namespace': 'k8s.io',
      },
    ]);
  });

  test('puts an answer together from pieces of any size', async () => {
    const client = await images((stream) =>
      respond(stream, { 'grpc-status': '0' }, ...[...frame(ANSWER)].map((byte) => Buffer.from([byte]))),
    );
    expect((await client.listImages({}, OPTIONS)).images).toHaveLength(1);
  });

  test('gives all answers of a stream', async () => {
    const part = (digest: string) =>
      frame(toBinary(ListContentResponseSchema, create(ListContentResponseSchema, { info: [create(InfoSchema, { digest })] })));
    const session = await serve((stream) => respond(stream, { 'grpc-status': '0' }, Buffer.concat([part('a'), part('b')])));
    const answers = await createGrpcClient(Content, session).list({}, OPTIONS);
    expect(answers.flatMap(({ info }) => info.map(({ digest }) => digest))).toEqual(['a', 'b']);
  });

  test.each([
    ['a status', { 'grpc-status': '5', 'grpc-message': 'no such image %22a%25b%22' }, 'not-found', 'no such image "a%b"'],
    ['a message that is not encoded', { 'grpc-status': '2', 'grpc-message': '100% wrong' }, 'unknown', '100% wrong'],
    ['a status without a message', { 'grpc-status': '14' }, 'unavailable', ''],
    ['a status that is none', { 'grpc-status': '99' }, 'internal', 'the answer has the unknown status 99'],
    ['no status', { other: '1' }, 'internal', 'the server ended the call without a status'],
  ])('fails with %s in the trailers', async (_case, trailers, status, message) => {
    const client = await images((stream) => respond(stream, trailers, frame(ANSWER)));
    await expect(client.listImages({}, OPTIONS)).rejects.toMatchObject({ name: 'GrpcError', status, message });
  });

  test('reads a status from an answer of headers alone', async () => {
    const client = await images((stream) => stream.respond({ ...GRPC, 'grpc-status': '12', 'grpc-message': 'no' }, { endStream: true }));
    await expect(client.listImages({}, OPTIONS)).rejects.toMatchObject({ status: 'unimplemented', message: 'no' });
  });

  test.each([
    ['no message', [], 'the answer has 0 messages in place of one'],
    ['two messages', [frame(ANSWER), frame(ANSWER)], 'the answer has 2 messages in place of one'],
    ['a message that is cut short', [frame(ANSWER).subarray(0, 8)], 'the answer ends within a message'],
    ['a frame that is cut short', [Buffer.from([0, 0])], 'the answer ends within a message'],
    ['a compressed message', [frame(ANSWER, 1)], 'the answer is compressed'],
    ['bytes that are no such message', [frame(Buffer.from([0xff, 0xff, 0xff]))], 'the answer cannot be decoded'],
  ])('fails on %s', async (_case, pieces, message) => {
    const client = await images((stream) => respond(stream, { 'grpc-status': '0' }, ...pieces));
    await expect(client.listImages({}, OPTIONS)).rejects.toMatchObject({ status: 'internal', message });
  });

  test.each([
    [{ ':status': 404, 'content-type': 'text/plain' }, 'unimplemented', 'HTTP 404'],
    [{ ':status': 503, 'content-type': 'text/plain' }, 'unavailable', 'HTTP 503'],
    [{ ':status': 200, 'content-type': 'text/html' }, 'unknown', 'the answer is no gRPC but of type text/html'],
  ])('fails on an HTTP answer %o', async (headers, status, message) => {
    const client = await images((stream) => {
      stream.respond(headers);
      stream.end('hello');
    });
    await expect(client.listImages({}, OPTIONS)).rejects.toMatchObject({ status, message });
  });

  test.each([
    ['refused', http2.constants.NGHTTP2_REFUSED_STREAM, 'unavailable'],
    ['cancelled', http2.constants.NGHTTP2_CANCEL, 'canceled'],
    ['failed', http2.constants.NGHTTP2_INTERNAL_ERROR, 'unavailable'],
  ])('fails, and does not hang, when the server resets it as %s', async (_case, code, status) => {
    const client = await images((stream) => {
      stream.close(code);
    });
    await expect(client.listImages({}, OPTIONS)).rejects.toMatchObject({ name: 'GrpcError', status });
  });

  test('that takes too long is over, for the server too', async () => {
    const closed = Promise.withResolvers<number | undefined>();
    const client = await images((stream) => {
      stream.on('close', () => closed.resolve(stream.rstCode));
    });
    await expect(client.listImages({}, { ...OPTIONS, timeoutMs: 50 })).rejects.toMatchObject({ status: 'deadline-exceeded' });
    expect(await closed.promise).toBe(http2.constants.NGHTTP2_CANCEL);
  });

  test('that is aborted is over, for the server too', async () => {
    const [opened, closed] = [Promise.withResolvers<undefined>(), Promise.withResolvers<number | undefined>()];
    const client = await images((stream) => {
      stream.on('close', () => closed.resolve(stream.rstCode));
      opened.resolve(undefined);
    });
    const aborting = new AbortController();
    const call = client.listImages({}, { ...OPTIONS, signal: aborting.signal });
    const failure = expect(call).rejects.toMatchObject({ status: 'canceled' });
    await opened.promise;
    aborting.abort();
    await failure;
    expect(await closed.promise).toBe(http2.constants.NGHTTP2_CANCEL);
    await expect(client.listImages({}, { ...OPTIONS, signal: aborting.signal })).rejects.toMatchObject({ status: 'canceled' });
  });

  test('whose connection is lost has the reason of it', async () => {
    const client = await images((stream) => stream.session?.socket.destroy());
    await expect(client.listImages({}, OPTIONS)).rejects.toMatchObject({ name: 'GrpcError' });
    const nowhere = createGrpcClient(ImageService, new UnixSession('/nowhere/runtime.sock'));
    await expect(nowhere.listImages({}, OPTIONS)).rejects.toMatchObject({ status: 'unavailable', cause: { code: 'ENOENT' } });
  });

  test('leaves no listener on its signal', async () => {
    const client = await images((stream) => respond(stream, { 'grpc-status': '0' }, frame(ANSWER)));
    const listening = new AbortController();
    const [added, removed] = [vi.spyOn(listening.signal, 'addEventListener'), vi.spyOn(listening.signal, 'removeEventListener')];
    for (let at = 0; at < 20; at += 1) await client.listImages({}, { ...OPTIONS, signal: listening.signal });
    expect(added).toHaveBeenCalledTimes(20);
    expect(removed.mock.calls.map(([, listener]) => listener)).toEqual(added.mock.calls.map(([, listener]) => listener));
  });
});
