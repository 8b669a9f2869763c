import { removeExclusions, type RemovedExclusion } from '../../../cluster/change-exclusions.ts';
import type { CliContext } from '../../context.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { printable } from '../../output/image-name.ts';
import { writeDocument } from '../../output/write-document.ts';
import { withSite } from '../connect-site.ts';
import type { ExcludeOptions } from './exclude-add.ts';

/** `image-cleaner cluster exclude remove PATTERN…`: 1 when one of them was not there, or goes on to hold. */
export async function excludeRemove(context: CliContext, patterns: readonly string[], options: ExcludeOptions): Promise<ExitCode> {
  return withSite(context, options, async (site) => {
    const removed = await removeExclusions(site, { patterns, configMap: options.name });
    const document = { namespace: site.namespace, configMap: options.name, patterns: removed };
    const edit = (configMap: string): string => `kubectl edit configmap -n ${site.namespace} ${configMap}`;
    for (const line of removed.flatMap((one) => complaints(one, options.name, edit))) context.stderr.write(`${printable(line)}\n`);
    await writeDocument(context.stdout, options.output, document, () =>
      removed
        .filter(({ isRemoved }) => isRemoved)
        .map(({ pattern }) => `${printable(`removed ${pattern} (configmap ${options.name})`)}\n`)
        .join(''),
    );
    return removed.every(({ isRemoved, elsewhere }) => isRemoved && elsewhere.length === 0) ? EXIT.done : EXIT.failed;
  });
}

function complaints({ pattern, isRemoved, elsewhere }: RemovedExclusion, own: string, edit: (configMap: string) => string): string[] {
  if (!isRemoved && elsewhere.length === 0) return [`${pattern} is in no exclusion list: image-cleaner cluster exclude list`];
  return elsewhere.map(({ configMap, key }) => {
    const still = `${pattern} is${isRemoved ? ' still' : ''} in the configmap ${configMap} (${key})`;
    return configMap === own
      ? `${still}, outside of what this command writes: ${edit(configMap)}`
      : `${still}, which is not changed here: ${edit(configMap)}`;
  });
}
