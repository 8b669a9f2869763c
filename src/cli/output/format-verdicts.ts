import { formatTable } from './format-table.ts';
import { imageName, printable, shortId } from './image-name.ts';
import type { Screen } from './terminal.ts';

/** As `describeVerdict` has it. */
export interface DescribedVerdict {
  readonly node: string;
  readonly imageId: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly scanner: { readonly name: string; readonly version: string };
  readonly readAt: string | null;
  readonly judgedAt: string | null;
}

export function formatVerdicts(verdicts: readonly DescribedVerdict[], { columns }: Screen): string {
  if (verdicts.length === 0) return 'Nothing is kept that a node has told of an image.\n';
  const rows = verdicts.map(({ node, imageId, repoTags, repoDigests, scanner, readAt, judgedAt }) => [
    printable(node),
    imageName({ id: imageId, repoTags, repoDigests }),
    shortId(imageId),
    printable(`${scanner.name} ${scanner.version}`),
    seconds(readAt),
    seconds(judgedAt),
  ]);
  return formatTable(['NODE', 'IMAGE', 'ID', 'SCANNER', 'READ', 'JUDGED'], rows, columns);
}

function seconds(time: string | null): string {
  return time === null ? '-' : `${time.slice(0, 19)}Z`;
}
