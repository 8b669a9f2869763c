import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { create, toBinary } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { analysisOf } from '../../../test/fakes/fake-reader.ts';
import { FakeTiming } from '../../../test/fakes/fake-timing.ts';
import { image, imageId, report } from '../../../test/fakes/images.ts';
import { logInTest } from '../../../test/fakes/log-in-test.ts';
import type { Worker } from '../../coordinator/ports.ts';
import { encodeRecipe } from '../../scan/analysis-form.ts';
import { ScanRequestSchema } from '../../scan/gen/trivy_pb.js';
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

  test('of a server that is none are away until somebody mends it, of one that does not answer may pass', async () => {
    page = 'hello';
    expect(await (await start()).read(WANTED, signal)).toMatchObject({ kind: 'away', mayPass: false });
    const nobody = bindVerdicts({ trivyServer: 'http://127.0.0.1:1', scans, timing, log });
    expect(await nobody.read(WANTED, signal)).toMatchObject({ kind: 'away', mayPass: true });
  });
});
