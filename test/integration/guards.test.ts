import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startContainerd, type PrivateContainerd } from '../../lab/containerd.ts';
import { createContainer, runSandbox, startContainer, stopContainer, type Sandbox } from '../../lab/containers.ts';
import { buildImage, importImages, listImageIds, type Image } from '../../lab/images.ts';
import { lacksRealPart } from '../../lab/real-parts.ts';
import { busyboxLayer, RUN_UNTIL_STOPPED } from '../../lab/sample-images.ts';
import { CONTAINERD_VERSIONS } from '../../lab/tools.ts';
import { compileExclusions } from '../../src/core/exclusions/exclusions.ts';
import { removals, type RemovalPlan } from '../../src/core/plan-removal.ts';
import { connectToRuntime } from '../../src/cri/connect-to-runtime.ts';
import { carryOutPlan, planNode } from '../../src/engine/clean-node.ts';
import type { NodeRuntime } from '../../src/engine/ports.ts';

/** Containers that come between plan and removal, on a real containerd, which itself removes an image in use without complaint. */

const signal = new AbortController().signal;
const ROUNDS = 50;

function planUnused(runtime: NodeRuntime): Promise<RemovalPlan> {
  const compiled = compileExclusions([]);
  if (!compiled.ok) throw new Error('no exclusions, no errors');
  return planNode({
    runtime,
    scan: null,
    settings: {
      exclusions: compiled.exclusions,
      imageList: null,
      pendingPods: [],
      protections: [],
      minAgeMs: 0,
      maxAgeMs: null,
    },
    memory: null,
    diskLimits: null,
    now: Date.now,
    onEvent: () => undefined,
    signal,
  });
}

async function carryOut(runtime: NodeRuntime, plan: RemovalPlan): Promise<string[]> {
  const { removals: done } = await carryOutPlan({
    plan,
    runtime,
    listPendingPods: () => Promise.resolve([]),
    journal: null,
    concurrency: 4,
    perImageTimeoutMs: 30_000,
    onEvent: () => undefined,
    signal,
  });
  return done.map(({ decision, outcome }) => `${decision.image.id} ${outcome.kind}`).sort();
}

for (const version of CONTAINERD_VERSIONS) {
  describe.skipIf(lacksRealPart(`containerd-${version}`))(`between plan and removal on containerd ${version}`, () => {
    let containerd: PrivateContainerd;
    let runtime: NodeRuntime & { close(): void };
    let sandbox: Sandbox;
    const runnable = (name: string, layer: Awaited<ReturnType<typeof busyboxLayer>>): Image =>
      buildImage({
        refs: [`docker.io/library/${name}`],
        layers: [layer, { files: { 'app/name': name } }],
        config: { entrypoint: RUN_UNTIL_STOPPED },
      });

    beforeAll(async () => {
      containerd = await startContainerd({ version });
      runtime = await connectToRuntime({ socketPath: containerd.socket }, signal);
      sandbox = await runSandbox(containerd);
    });
    afterAll(async () => {
      runtime.close();
      await containerd.stop();
    });

    test(`a container started between plan and removal keeps its image, ${String(ROUNDS)} times`, async () => {
      const layer = await busyboxLayer();
      const images = Array.from({ length: ROUNDS }, (_value, at) => runnable(`round:${String(at)}`, layer));
      await importImages(containerd, images);
      for (const [at, image] of images.entries()) {
        const plan = await planUnused(runtime);
        expect(removals(plan.decisions).map((decision) => decision.image.id)).toContain(image.id);
        const containerId = await createContainer(containerd, sandbox, { image: image.refs[0] ?? '', name: `round-${String(at)}` });
        await startContainer(containerd, containerId);
        // Only this image of the plan: the next rounds want theirs.
        const only = { ...plan, decisions: plan.decisions.filter((decision) => decision.image.id === image.id) };
        expect(await carryOut(runtime, only)).toEqual([`${image.id} kept`]);
        expect(await listImageIds(containerd)).toContain(image.id);
      }
    });

    test('so does a stopped one, and one that was created and never started, while the others go', async () => {
      const layer = await busyboxLayer();
      const [stopped, created, unused] = ['stopped:1', 'created:1', 'unused:1'].map((name) => runnable(name, layer)) as [
        Image,
        Image,
        Image,
      ];
      await importImages(containerd, [stopped, created, unused]);
      const plan = await planUnused(runtime);
      const stoppedId = await createContainer(containerd, sandbox, { image: stopped.id, name: 'stopped' });
      await startContainer(containerd, stoppedId);
      await stopContainer(containerd, stoppedId);
      await createContainer(containerd, sandbox, { image: 'docker.io/library/created:1', name: 'created' });
      expect(await carryOut(runtime, plan)).toEqual([`${created.id} kept`, `${stopped.id} kept`, `${unused.id} removed`].sort());
      const left = await listImageIds(containerd);
      expect(left).toEqual(expect.arrayContaining([stopped.id, created.id]));
      expect(left).not.toContain(unused.id);
    });

    test('an image in use that is removed without the guard is gone: the guard is ours', async () => {
      const image = runnable('unguarded:1', await busyboxLayer());
      await importImages(containerd, [image]);
      const containerId = await createContainer(containerd, sandbox, { image: image.id, name: 'unguarded' });
      await startContainer(containerd, containerId);
      await runtime.removeImage(image.id, signal);
      expect(await listImageIds(containerd)).not.toContain(image.id);
    });
  });
}
