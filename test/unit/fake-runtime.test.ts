import { describe } from 'vitest';
import { nodeRuntimeContract } from '../contract/node-runtime-contract.ts';
import { FakeRuntime } from '../fakes/fake-runtime.ts';
import { container, image } from '../fakes/images.ts';

describe('the fake runtime', () => {
  nodeRuntimeContract(() => {
    const [used, unused] = [image(1), image(2)];
    const runtime = new FakeRuntime([used, unused]);
    runtime.containers = [container(1, [used.id])];
    for (const { id } of [used, unused]) {
      runtime.storage.set(id, [
        { key: 'snapshot:base', bytes: 10 },
        { key: `snapshot:${id}`, bytes: 1 },
      ]);
    }
    return Promise.resolve({
      runtime,
      usedImageId: used.id,
      usedImageTag: used.repoTags[0] ?? '',
      unusedImageId: unused.id,
      close: () => Promise.resolve(),
    });
  });
});
