import { indexImages } from '../../core/image-index.ts';
import { findImageUse } from '../../core/image-use.ts';
import { compareTexts } from '../../core/compare-texts.ts';
import { pinnedReason, resolveSandboxImages } from '../../core/sandbox-image.ts';
import type { NodeImage, NodeInventory } from '../../api/inventory.ts';
import { takeInventory } from '../../engine/take-inventory.ts';
import { formatBytes } from '../../platform/quantity.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { withNode } from '../bind-runtime.ts';
import { formatTable } from '../output/format-table.ts';
import { imageName, shortId } from '../output/image-name.ts';
import { screenOf, type Screen } from '../output/terminal.ts';
import { writeDocument } from '../output/write-document.ts';
import type { RuntimeOptions } from '../parsed-options.ts';

interface ListedImage {
  readonly imageId: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly sizeBytes: number;
  readonly inUse: boolean;
  readonly pinned: boolean;
  /** Distinct containers that use it, in any state. */
  readonly containers: number;
}

/** `image-cleaner list`: what is on the node and what uses it. Scans and decides nothing. */
export async function list(context: CliContext, options: RuntimeOptions): Promise<ExitCode> {
  return withNode(context, options, async ({ runtime }) => {
    const inventory = await takeInventory(runtime, context.signal);
    const images = describeInventory(inventory);
    await writeDocument(context.stdout, options.output, { runtime: inventory.runtime, images }, () =>
      formatList(images, screenOf(context, context.stdout)),
    );
    return EXIT.done;
  });
}

function describeInventory({ images, containers, sandboxImageReferences }: NodeInventory): ListedImage[] {
  const index = indexImages(images);
  const { usersByImage } = findImageUse(index, containers, []);
  const sandboxImages = resolveSandboxImages(index, sandboxImageReferences);
  const describe = (image: NodeImage): ListedImage => {
    const users = usersByImage.get(image.id) ?? [];
    return {
      imageId: image.id,
      repoTags: image.repoTags,
      repoDigests: image.repoDigests,
      sizeBytes: image.sizeBytes,
      inUse: users.length > 0,
      pinned: pinnedReason(image, sandboxImages) !== null,
      containers: new Set(users.map((user) => (user.kind === 'pending-pod' ? user.pod : user.containerId))).size,
    };
  };
  return images
    .map((image) => ({ name: imageName(image), listed: describe(image) }))
    .sort((a, b) => compareTexts(a.name, b.name))
    .map(({ listed }) => listed);
}

function formatList(images: readonly ListedImage[], { columns }: Screen): string {
  const rows = images.map((image) => [
    imageName({ ...image, id: image.imageId }),
    shortId(image.imageId),
    formatBytes(image.sizeBytes),
    image.pinned ? 'pinned' : image.inUse ? 'in use' : 'unused',
    String(image.containers),
  ]);
  return formatTable(['IMAGE', 'ID', 'SIZE', 'STATE', 'CONTAINERS'], rows, columns);
}
