import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CRI_O, startTestRuntime, type TestRuntimeServer } from '../fakes/test-runtime-server.ts';
import { parseClean, runCli } from './run-cli.ts';

/** Runtimes that behave as no containerd does on request: a stand-in over real gRPC, driven by the real command line. */

const ID = 'a'.repeat(64);

describe('a runtime that accepts a removal and does not carry it out', () => {
  let server: TestRuntimeServer;
  beforeAll(async () => {
    const image = { id: ID, repoTags: ['docker.io/library/stays:1'], size: 10n };
    server = await startTestRuntime(CRI_O, {
      runtime: {
        listContainers: () => ({}),
        listPodSandbox: () => ({}),
        status: () => ({ info: { config: JSON.stringify({ sandboxImage: 'registry.k8s.io/pause:3.10' }) } }),
      },
      images: {
        listImages: () => ({ images: [image] }),
        imageStatus: () => ({ image }),
        removeImage: () => ({}),
        imageFsInfo: () => ({ imageFilesystems: [{ fsId: { mountpoint: '/proc/nonexistent' } }] }),
      },
    });
  });
  afterAll(() => server[Symbol.asyncDispose]());
  const clean = (...args: string[]) => runCli(['clean', '--runtime-endpoint', server.socketPath, '-o', 'json', ...args]);

  test('is a failure: reported, counted, and exit code 1', async () => {
    const result = await clean('--scanner', 'none', '--yes');
    expect(result.code).toBe(1);
    const document = parseClean(result);
    expect(document.removals).toEqual([expect.objectContaining({ imageId: ID, outcome: 'failed' }) as unknown]);
    expect(document.summary).toMatchObject({ remove: 1, removed: 0, failed: 1, reclaimedBytes: 0 });
    expect(document.filesystem).toBeNull();
  });

  test('on CRI-O, whose store Trivy cannot read, images stay without a verdict, and nothing asks for Trivy', async () => {
    const result = await clean('--trivy', '/nonexistent/trivy', '--yes');
    expect(result.code).toBe(0);
    const { decisions, warnings } = parseClean(result);
    expect(decisions.map(({ reason }) => reason)).toEqual([
      expect.objectContaining({ code: 'unscanned', why: 'unsupported-runtime' }) as unknown,
    ]);
    expect(warnings).toEqual([expect.stringContaining('cri-o') as unknown]);
  });
});
