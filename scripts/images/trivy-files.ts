import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TRIVY, ensureGoTool, ensureToolSource } from '../../lab/go-tools.ts';
import { IMAGE_PATHS, type PartFiles, type PartInput } from './image-parts.ts';

/** Trivy as it is built from its Go module, never one that the machine happens to have. */
export async function trivyFiles({ onProgress }: PartInput): Promise<PartFiles> {
  const binary = join(await ensureGoTool(TRIVY, onProgress), 'trivy');
  const source = await ensureToolSource(TRIVY);
  const files = {
    [IMAGE_PATHS.trivy]: { content: await readFile(binary), mode: 0o755 },
    'usr/share/doc/trivy/copyright': await readFile(join(source, 'LICENSE')),
    'usr/share/doc/trivy/NOTICE': await readFile(join(source, 'NOTICE')),
  };
  return { files, createdBy: `Trivy ${TRIVY.version}` };
}
