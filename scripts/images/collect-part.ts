import type { ImagePart, PartFiles, PartInput } from './image-parts.ts';
import { nodeFiles } from './node-files.ts';
import { programFiles } from './program-files.ts';
import { systemFiles } from './system-files.ts';
import { trivyFiles } from './trivy-files.ts';

const COLLECT: Readonly<Record<ImagePart, (input: PartInput) => Promise<PartFiles>>> = {
  system: systemFiles,
  node: nodeFiles,
  trivy: trivyFiles,
  program: programFiles,
};

/** The files of a part of the images, fetched or built where they aren't there yet. */
export async function collectPart(part: ImagePart, input: PartInput): Promise<PartFiles> {
  return await COLLECT[part](input);
}
