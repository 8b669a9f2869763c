import { type FoundInstallation, readInstallation } from '../../../cluster/read-installation.ts';
import type { CliContext } from '../../context.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { writeDocument } from '../../output/write-document.ts';
import type { ClusterOutputOptions } from '../cluster-options.ts';
import { withSite } from '../connect-site.ts';

/** `image-cleaner cluster version`: of this program, and of what is installed. */
export async function version(context: CliContext, options: ClusterOutputOptions): Promise<ExitCode> {
  const { namespace, manager } = await withSite(context, options, readInstallation);
  const document = {
    program: context.version,
    installation: manager === null ? null : { namespace, isEraser: !manager.isOurs, images: manager.images },
  };
  await writeDocument(context.stdout, options.output, document, () => formatVersion(context.version, { namespace, manager }));
  return EXIT.done;
}

function formatVersion(program: string, { namespace, manager }: Pick<FoundInstallation, 'namespace' | 'manager'>): string {
  const own = `image-cleaner ${program}\n`;
  if (manager === null) return `${own}Nothing is installed in the namespace ${namespace}. To install: image-cleaner cluster enable\n`;
  const images = Object.entries(manager.images).map(([name, image]) => `  ${name.padEnd(12)}  ${image}\n`);
  return `${own}${manager.isOurs ? 'Image Cleaner' : 'Eraser'} in the namespace ${namespace}:\n${images.join('')}`;
}
