import { addExclusions, type AddedExclusions } from '../../../cluster/change-exclusions.ts';
import { listJobs } from '../../../cluster/read-jobs.ts';
import { readExclusions } from '../../../cluster/read-exclusions.ts';
import type { CliContext } from '../../context.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { printable } from '../../output/image-name.ts';
import { writeDocument } from '../../output/write-document.ts';
import type { ClusterOutputOptions } from '../cluster-options.ts';
import { withSite } from '../connect-site.ts';

export interface ExcludeOptions extends ClusterOutputOptions {
  /** Of the configmap. */
  readonly name: string;
}

/** `image-cleaner cluster exclude add PATTERN…`: what they match stays, from the next run on. */
export async function excludeAdd(context: CliContext, patterns: readonly string[], options: ExcludeOptions): Promise<ExitCode> {
  return withSite(context, options, async (site) => {
    const result = await addExclusions(site, { patterns, configMap: options.name });
    const [{ faults }, jobs] = await Promise.all([readExclusions(site), listJobs(site)]);
    const warn = (text: string): unknown => context.stderr.write(`Warning: ${printable(text)}\n`);
    for (const { configMap, message } of faults) {
      warn(`the configmap ${configMap} cannot be read, and no run begins until it can be: ${message}`);
    }
    for (const { name } of jobs.filter(({ phase }) => phase === 'Running')) {
      warn(`the run ${name} is under way, and goes on by the exclusions with which it began`);
    }
    await writeDocument(context.stdout, options.output, { namespace: site.namespace, ...result }, () => formatAdded(result));
    return EXIT.done;
  });
}

function formatAdded({ configMap, added, present }: AddedExclusions): string {
  const lines = [
    ...added.map((pattern) => `excluded ${pattern} (configmap ${configMap})`),
    ...present.map((pattern) => `${pattern} was excluded already (configmap ${configMap})`),
  ];
  return lines.map((line) => `${printable(line)}\n`).join('');
}
