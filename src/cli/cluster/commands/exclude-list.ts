import { type FoundExclusions, readExclusions } from '../../../cluster/read-exclusions.ts';
import type { CliContext } from '../../context.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { formatTable } from '../../output/format-table.ts';
import { printable } from '../../output/image-name.ts';
import { screenOf, type Screen } from '../../output/terminal.ts';
import { writeDocument } from '../../output/write-document.ts';
import type { ClusterOutputOptions } from '../cluster-options.ts';
import { withSite } from '../connect-site.ts';

/** `image-cleaner cluster exclude list`: every entry, and whether it holds. 1 when a configmap cannot be read, since no run begins then. */
export async function excludeList(context: CliContext, options: ClusterOutputOptions): Promise<ExitCode> {
  return withSite(context, options, async (site) => {
    const found = await readExclusions(site);
    const { entries, faults } = found;
    for (const { configMap, message } of faults) {
      const next = `Correct it: kubectl edit configmap -n ${site.namespace} ${configMap}`;
      context.stderr.write(
        `${printable(`The configmap ${configMap} cannot be read, and no run begins until it can be: ${message}`)}\n${next}\n`,
      );
    }
    const document = {
      namespace: site.namespace,
      entries: entries.map(({ notInForce, ...entry }) => ({ ...entry, inForce: notInForce === null, why: notInForce })),
      faults,
    };
    await writeDocument(context.stdout, options.output, document, () => formatEntries(found, screenOf(context, context.stdout)));
    return faults.length === 0 ? EXIT.done : EXIT.failed;
  });
}

function formatEntries({ entries }: FoundExclusions, { columns }: Screen): string {
  if (entries.length === 0) return 'Nothing is excluded. To exclude: image-cleaner cluster exclude add PATTERN\n';
  const rows = entries.map(({ pattern, configMap, key, notInForce }) => [
    printable(pattern),
    configMap,
    key,
    notInForce === null ? 'yes' : printable(`no: ${notInForce}`),
  ]);
  return formatTable(['PATTERN', 'CONFIGMAP', 'KEY', 'IN FORCE'], rows, columns);
}
