import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { create, toBinary } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { eventually } from '../../../test/fakes/eventually.ts';
import { analysisOf } from '../../../test/fakes/fake-reader.ts';
import { FakeTiming } from '../../../test/fakes/fake-timing.ts';
import { image, imageId, report } from '../../../test/fakes/images.ts';
import { JudgingServerInTest, readOf } from '../../../test/fakes/judging-server.ts';
import { logInTest } from '../../../test/fakes/log-in-test.ts';
import type { ImageAnalysis, ScannerInfo, ScanReport } from '../../api/scan-report.ts';
import type { Worker } from '../../coordinator/ports.ts';
import { encodeRecipe } from '../../scan/analysis-form.ts';
import { ScanRequestSchema } from '../../scan/gen/trivy_pb.js';
import { RPC } from '../../scan/trivy-rpc.ts';
import type { NodeScans } from '../../store/cluster-history.ts';
import { bindVerdicts, type BoundVerdicts } from './bind-verdicts.ts';

const { signal } = new AbortController();
const WORKER: Worker = { job: 'job', node: 'node-1', podName: 'pod', podUid: 'uid' };
const WANTED = { imageIds: [imageId(1)], scannerVersion: '0.74.0' };

/** What it does with a real Trivy and a real history is a matter of the integration tests. */
describe('verdicts', () => {
  let page: unknown;
  const readReports = vi.fn<NodeScans['readReports']>();
  const keep = vi.fn<NodeScans['keep']>();
  const lastRevocation = vi.fn<NodeScans['lastRevocation']>();
  const isRevokedIn = vi.fn<NodeScans['isRevokedIn']>();
  const scans: NodeScans = { readReports, readAnalyses: () => Promise.resolve(new Map()), keep, lastRevocation, isRevokedIn };
  const timing = new FakeTiming();
  const { log, lines } = logInTest();
  beforeEach(() => {
    page = { Version: '0.74.0', VulnerabilityDB: { UpdatedAt: '2026-11-22T00:00:00Z' } };
    readReports.mockReset().mockImplementation(() => Promise.resolve(new Map([[imageId(1), report(image(1))]])));
    keep.mockReset().mockResolvedValue(undefined);
    lastRevocation.mockReset().mockResolvedValue(0);
    isRevokedIn.mockReset().mockResolvedValue(false);
  });

  async function start(): Promise<BoundVerdicts> {
    const server = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(page));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const trivyServer = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
    const verdicts = bindVerdicts({ trivyServer, scans, timing, log });
    onTestFinished(() => {
      verdicts.close();
      server.close();
      server.closeAllConnections();
    });
    return verdicts;
  }

  test('that many nodes ask for are read once, as long as the database is the same', async () => {
    const verdicts = await start();
    const first = await verdicts.read(WANTED, signal);
    expect(first).toEqual({ kind: 'judged', value: new Map([[imageId(1), JSON.stringify(report(image(1)))]]) });
    expect(await verdicts.read(WANTED, signal)).toEqual(first);
    expect(readReports).toHaveBeenCalledTimes(1);
    page = { Version: '0.74.0', VulnerabilityDB: { UpdatedAt: '2026-11-23T00:00:00Z' } };
    await timing.advance(3_000);
    await verdicts.read(WANTED, signal);
    expect(readReports).toHaveBeenCalledTimes(2);
  });

  test('of a database that cannot be told from others are not taken for those of another', async () => {
    page = { Version: '0.74.0' };
    const verdicts = await start();
    await verdicts.read(WANTED, signal);
    await verdicts.read(WANTED, signal);
    expect(readReports).toHaveBeenCalledTimes(2);
  });

  test('are not known while the history is away, which is told', async () => {
    readReports.mockRejectedValue(new Error('no space'));
    const verdicts = await start();
    expect(await verdicts.read(WANTED, signal)).toEqual({ kind: 'judged', value: new Map() });
    expect(JSON.stringify(lines)).toContain('no space');
  });

  test('that were taken back since are not told from memory', async () => {
    const verdicts = await start();
    await verdicts.read(WANTED, signal);
    lastRevocation.mockResolvedValue(1);
    readReports.mockResolvedValue(new Map());
    expect(await verdicts.read(WANTED, signal)).toEqual({ kind: 'judged', value: new Map() });
    // Who began to read before it comes too late to bring it back.
    lastRevocation.mockResolvedValueOnce(0).mockResolvedValue(1);
    readReports.mockResolvedValueOnce(new Map([[imageId(1), report(image(1))]]));
    expect(await verdicts.read(WANTED, signal)).toEqual({ kind: 'judged', value: new Map() });
    expect(await verdicts.read(WANTED, signal)).toEqual({ kind: 'judged', value: new Map() });
  });

  test('are not told from memory while it is not known whether they were taken back', async () => {
    const verdicts = await start();
    await verdicts.read(WANTED, signal);
    lastRevocation.mockRejectedValue(new Error('no disk'));
    readReports.mockRejectedValue(new Error('no disk'));
    expect(await verdicts.read(WANTED, signal)).toEqual({ kind: 'judged', value: new Map() });
    expect(JSON.stringify(lines)).toContain('no disk');
  });

  test('what a node tells in a run in which it was revoked is not judged', async () => {
    isRevokedIn.mockResolvedValue(true);
    const verdicts = await start();
    expect(await verdicts.judge(WORKER, [analysisOf(imageId(1))], signal)).toEqual({ kind: 'revoked' });
    expect(isRevokedIn).toHaveBeenCalledWith({ job: 'job', node: 'node-1' }, signal);
    expect(keep).not.toHaveBeenCalled();
  });

  test('what another version of Trivy has read takes the place of nothing', async () => {
    const verdicts = await start();
    const scan = toBinary(ScanRequestSchema, create(ScanRequestSchema));
    const recipe = encodeRecipe({ imageId: imageId(1), partKeys: [], putArtifact: Buffer.alloc(0), scan });
    const other = { ...analysisOf(imageId(1)), parts: [], recipe, scannerVersion: '0.99.0' };
    expect(await verdicts.judge(WORKER, [other], signal)).toEqual({ kind: 'judged', value: [null] });
    expect(keep).not.toHaveBeenCalled();
    await verdicts.read(WANTED, signal);
    await verdicts.read({ ...WANTED, scannerVersion: '0.99.0' }, signal);
    await verdicts.read(WANTED, signal);
    // Nor what is kept in memory.
    expect(readReports).toHaveBeenCalledTimes(2);
  });

  test('an analysis that is garbled is of no use, and asks nobody', async () => {
    const verdicts = await start();
    expect(await verdicts.judge(WORKER, [analysisOf(imageId(1))], signal)).toEqual({ kind: 'judged', value: [null] });
    expect(keep).not.toHaveBeenCalled();
  });

  test('of a server that hangs are away, and that may pass', async () => {
    const verdicts = await start();
    const spy = vi.spyOn(AbortSignal, 'timeout').mockImplementation(() => AbortSignal.abort(new DOMException('late', 'TimeoutError')));
    onTestFinished(() => spy.mockRestore());
    expect(await verdicts.read(WANTED, signal)).toEqual({ kind: 'away', why: 'it has said nothing for 30 s', mayPass: true });
  });

  test('of a server that is none are away until somebody mends it, of one that does not answer may pass', async () => {
    page = 'hello';
    expect(await (await start()).read(WANTED, signal)).toMatchObject({ kind: 'away', mayPass: false });
    const nobody = bindVerdicts({ trivyServer: 'http://127.0.0.1:1', scans, timing, log });
    expect(await nobody.read(WANTED, signal)).toMatchObject({ kind: 'away', mayPass: true });
  });
});

/** By a Trivy server in the place of the real one, and a history that the test writes. */
describe('verdicts by what was read of images', () => {
  const [A, B] = [imageId(1), imageId(2)];
  const SCANNER: ScannerInfo = {
    name: 'trivy',
    version: '0.74.0',
    databaseUpdatedAt: '2026-01-01T00:00:00.000Z',
    databaseMark: expect.stringContaining('server:cluster') as string,
  };
  const judgedWith = (imageIds: readonly string[]): object => ({
    kind: 'judged',
    value: new Map(imageIds.map((id) => [id, expect.any(String)])),
  });

  async function start() {
    const server = new JudgingServerInTest();
    const { log, lines } = logInTest();
    const timing = new FakeTiming();
    const scans = {
      readReports: vi.fn<NodeScans['readReports']>().mockResolvedValue(new Map()),
      readAnalyses: vi.fn<NodeScans['readAnalyses']>(({ imageIds }) =>
        Promise.resolve(new Map(imageIds.map((id) => [id, { reportedBy: 'node-9', analysis: readOf(id) }]))),
      ),
      keep: vi.fn<NodeScans['keep']>().mockResolvedValue(undefined),
      lastRevocation: vi.fn<NodeScans['lastRevocation']>().mockResolvedValue(0),
      isRevokedIn: vi.fn<NodeScans['isRevokedIn']>().mockResolvedValue(false),
    };
    const verdicts = bindVerdicts({ trivyServer: await server.start(), scans, timing, log });
    onTestFinished(() => verdicts.close());
    const read = (imageIds: readonly string[], until = signal) => verdicts.read({ imageIds, scannerVersion: '0.74.0' }, until);
    return { server, lines, timing, scans, verdicts, read };
  }

  test('are told, kept with the node that has read them, and remembered while the history is away', async () => {
    const { server, scans, verdicts, read } = await start();
    scans.keep.mockRejectedValue(new Error('no space'));
    scans.readReports.mockRejectedValue(new Error('no space'));
    scans.readAnalyses.mockRejectedValue(new Error('no space'));
    const judged = await verdicts.judge(WORKER, [readOf(A), analysisOf(B)], signal);
    const [text] = judged.kind === 'judged' ? judged.value : [];
    const found = JSON.parse(text ?? '') as ScanReport;
    expect(found).toMatchObject({ imageId: A, scanner: SCANNER, findings: [{ id: 'CVE of 2026-01-01T00:00:00Z' }] });
    expect(judged).toEqual({ kind: 'judged', value: [text, null] });
    expect(scans.keep.mock.calls.map(([kept]) => kept)).toEqual([
      [{ reportedBy: 'node-1', report: found, analysis: expect.objectContaining({ imageId: A }) as ImageAnalysis, asOf: 0 }],
    ]);
    const [key] = scans.keep.mock.calls[0]?.[0][0]?.analysis?.parts.map((part) => part.key) ?? [];
    expect(key).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await read([A])).toEqual({ kind: 'judged', value: new Map([[A, text]]) });
    expect(scans.readReports).not.toHaveBeenCalled();
    expect(server.count(RPC.scan)).toBe(1);
  });

  test('by a database that cannot be told from others are not remembered', async () => {
    const { server, scans, verdicts, read } = await start();
    server.database = null;
    scans.readAnalyses.mockResolvedValue(new Map());
    await verdicts.judge(WORKER, [readOf(A)], signal);
    expect(await read([A])).toEqual(judgedWith([]));
  });

  test('are made anew of what was read before, and kept with the node that read it then', async () => {
    const { server, scans, read } = await start();
    const ids = Array.from({ length: 45 }, (_, at) => imageId(at));
    expect(await read(ids)).toEqual(judgedWith(ids));
    // Trivy's server holds no more of them at once.
    expect(scans.readAnalyses.mock.calls.map(([{ imageIds }]) => imageIds.length)).toEqual([20, 20, 5]);
    const kept = scans.keep.mock.calls.flatMap(([each]) => each);
    expect(kept.map(({ reportedBy, analysis, report: { imageId: id } }) => [reportedBy, analysis, id])).toEqual(
      ids.map((id) => ['node-9', null, id]),
    );
    expect(await read(ids)).toEqual(judgedWith(ids));
    expect(server.count(RPC.scan)).toBe(45);
  });

  test('that several nodes ask for at once are made once', async () => {
    const { server, read } = await start();
    const answers = await Promise.all([read([A, B]), read([B, A]), read([A])]);
    expect(answers).toEqual([judgedWith([A, B]), judgedWith([A, B]), judgedWith([A])]);
    expect(server.count(RPC.scan)).toBe(2);
  });

  test('that somebody else has kept meanwhile are not made again', async () => {
    const { server, scans, read } = await start();
    scans.readReports.mockResolvedValueOnce(new Map()).mockResolvedValueOnce(new Map([[A, report(image(1))]]));
    expect(await read([A])).toEqual(judgedWith([A]));
    expect([server.calls, scans.keep.mock.calls]).toEqual([['version'], []]);
  });

  test('are not made for who has gone before its turn', async () => {
    const { server, scans, read } = await start();
    const gate = Promise.withResolvers<undefined>();
    server.before = (path) => (path === RPC.scan ? gate.promise : undefined);
    const first = read([A]);
    await eventually(() => server.count(RPC.scan)).toBe(1);
    const gone = new AbortController();
    const second = expect(read([B], gone.signal)).rejects.toThrow('gone');
    await eventually(() => scans.readReports.mock.calls.filter(([{ imageIds }]) => imageIds.includes(B)).length).toBe(1);
    gone.abort(new Error('gone'));
    gate.resolve(undefined);
    expect(await first).toEqual(judgedWith([A]));
    await second;
    expect(scans.readAnalyses.mock.calls.map(([{ imageIds }]) => imageIds)).toEqual([[A]]);
  });

  test('ask which database there is no more often than every two seconds', async () => {
    const { server, timing, read, scans } = await start();
    scans.readAnalyses.mockResolvedValue(new Map());
    await read([A]);
    timing.jump(2_000);
    await read([A]);
    expect(server.count('version')).toBe(1);
    timing.jump(1);
    await read([A]);
    expect(server.count('version')).toBe(2);
  });

  test('an image that Trivy gives none on costs the others nothing, whoever tells or asks; the log names it', async () => {
    const { server, lines, verdicts, read, scans } = await start();
    server.bad.set(A, 'garbles');
    const judged = await verdicts.judge(WORKER, [readOf(A), readOf(B)], signal);
    expect(judged).toEqual({ kind: 'judged', value: [null, expect.any(String)] });
    expect(scans.keep.mock.calls.flatMap(([each]) => each.map(({ report: { imageId: id } }) => id))).toEqual([B]);
    expect(lines.filter(({ level }) => level === 'warn')).toMatchObject([{ image: A }]);
    const [C, D] = [imageId(3), imageId(4)];
    server.bad.set(C, 'garbles');
    expect(await read([C, D])).toEqual(judgedWith([D]));
  });

  test('a server that ends gives none on anything: that is away, and may pass', async () => {
    const { server, verdicts, read } = await start();
    server.isDown = true;
    for (const answer of [await verdicts.judge(WORKER, [readOf(A)], signal), await read([A])]) {
      expect(answer).toMatchObject({ kind: 'away', mayPass: true });
    }
  });

  test('closing ends the connections; there need be none, nor an address', async () => {
    const { server, scans, timing, verdicts, read } = await start();
    await read([A]);
    expect(server.connections).toBeGreaterThan(0);
    verdicts.close();
    await eventually(() => server.connections).toBe(0);
    const { log } = logInTest();
    const nowhere = bindVerdicts({ trivyServer: 'nowhere', scans, timing: new FakeTiming(), log });
    nowhere.close();
    expect(await nowhere.read(WANTED, signal)).toMatchObject({ kind: 'away', mayPass: false });
    // A rejection that nobody handles would end the process.
    nowhere.close();
    await timing.settle();
  });
});
