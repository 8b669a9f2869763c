import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startContainerd, type PrivateContainerd } from '../../../lab/containerd.ts';
import { buildImage, importImages, listImageIds } from '../../../lab/images.ts';
import { lacksRealPart } from '../../../lab/real-parts.ts';
import { startImageServer, type ImageServer, type ServedImage } from '../../fakes/image-server.ts';
import { parseClean, type CliResult } from '../run-cli.ts';
import { runMeasured, type MeasuredResult } from './run-measured.ts';

/**
 * A node with far more images than any has. To fill a real containerd with 5,000 takes minutes, so a stand-in holds those, and a real one a
 * few hundred.
 */

/** Node takes what it is given before it collects garbage; on a node with little memory it is less. */
const PEAK_BYTES_MAX = 512 * 1024 * 1024;
const MANY = 5_000;
const ON_A_REAL_ONE = 200;

const lines = ({ stdout }: CliResult): string[] => stdout.trimEnd().split('\n');

interface Node {
  readonly endpoint: string;
  readonly imageIds: () => Promise<string[]>;
}

function listsAndRemovesAll(node: () => Node, count: number): void {
  const run = async (...args: string[]): Promise<MeasuredResult> => {
    const result = await runMeasured([...args, '--runtime-endpoint', node().endpoint]);
    expect(result.code, result.stderr).toBe(0);
    expect(result.peakBytes).toBeLessThan(PEAK_BYTES_MAX);
    return result;
  };

  test('list', async () => {
    expect(lines(await run('list'))).toHaveLength(count + 1);
    const { images } = JSON.parse((await run('list', '-o', 'json')).stdout) as { images: { imageId: string }[] };
    expect(images.map(({ imageId }) => imageId).sort()).toEqual(await node().imageIds());
  });

  test('clean --dry-run', async () => {
    expect(lines(await run('clean', '--dry-run', '--scanner', 'none'))).toHaveLength(count + 1);
    const { decisions } = parseClean(await run('clean', '--dry-run', '--scanner', 'none', '-o', 'json'));
    expect(decisions.map(({ imageId, outcome }) => `${imageId} ${outcome}`).sort()).toEqual(
      (await node().imageIds()).map((id) => `${id} remove`),
    );
    expect(await node().imageIds()).toHaveLength(count);
  });

  test('clean --yes --scanner none', async () => {
    const before = await node().imageIds();
    const { removals = [] } = parseClean(await run('clean', '--yes', '--scanner', 'none', '-o', 'json'));
    expect(removals.map(({ imageId, outcome }) => `${imageId} ${outcome}`).sort()).toEqual(before.map((id) => `${id} removed`));
    expect(await node().imageIds()).toEqual([]);
  });
}

describe(`${String(MANY)} images`, () => {
  let server: ImageServer;
  beforeAll(async () => {
    server = await startImageServer(
      Array.from({ length: MANY }, (_value, at): ServedImage => {
        const id = at.toString(16).padStart(64, '0');
        const name = `registry.example.com/team-${String(at % 50)}/service-${String(at % 400)}`;
        return { id, repoTags: [`${name}:${String(at)}`], repoDigests: [`${name}@sha256:${id}`], size: 10_000_000n };
      }),
    );
  });
  afterAll(() => server[Symbol.asyncDispose]());
  listsAndRemovesAll(() => ({ endpoint: server.socketPath, imageIds: () => Promise.resolve(server.imageIds()) }), MANY);
});

describe.skipIf(lacksRealPart('containerd-debian'))(`${String(ON_A_REAL_ONE)} images on a real containerd`, () => {
  let containerd: PrivateContainerd;
  beforeAll(async () => {
    containerd = await startContainerd({ version: 'debian' });
    const images = Array.from({ length: ON_A_REAL_ONE }, (_value, at) =>
      buildImage({ refs: [`docker.io/library/many:${String(at)}`], layers: [], config: { labels: { at: String(at) } } }),
    );
    await importImages(containerd, images, { unpack: false });
  });
  afterAll(() => containerd.stop());
  listsAndRemovesAll(() => ({ endpoint: containerd.endpoint, imageIds: () => listImageIds(containerd) }), ON_A_REAL_ONE);
});
