import { checkMigration, type MigrationCheck, type MigrationFinding } from '../../../cluster/check-migration.ts';
import type { CliContext } from '../../context.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { printable } from '../../output/image-name.ts';
import { writeDocument } from '../../output/write-document.ts';
import type { ClusterOutputOptions } from '../cluster-options.ts';
import { withSite } from '../connect-site.ts';

/** `image-cleaner cluster migrate --check`: 1 when something has to be seen to before. */
export async function migrate(context: CliContext, options: ClusterOutputOptions): Promise<ExitCode> {
  const check = await withSite(context, options, checkMigration);
  const { installation, exclusionEntries, images, findings } = check;
  const isBlocked = findings.some(({ kind }) => kind === 'blocks');
  const document = {
    namespace: installation.namespace,
    images: installation.manager?.images ?? {},
    exclusionEntries,
    listedImages: [...images],
    isBlocked,
    findings: findings.map((finding) => ({ ...finding })),
  };
  await writeDocument(context.stdout, options.output, document, () => formatCheck(check, isBlocked));
  return isBlocked ? EXIT.failed : EXIT.done;
}

function formatCheck({ installation, exclusionEntries, images, findings }: MigrationCheck, isBlocked: boolean): string {
  const { namespace, manager, configuration } = installation;
  const running = manager === null ? 'no manager' : Object.values(manager.images).join(', ');
  const lines = [
    `In the namespace ${namespace}: ${running}; ${configuration === null ? 'no configuration' : 'a configuration'}, ` +
      `${String(exclusionEntries)} exclusions, ${String(images.length)} images in the list. All of it is kept.`,
    ...section('To be seen to first:', findings, 'blocks'),
    ...section('What will differ:', findings, 'differs'),
    isBlocked ? 'Then look again: image-cleaner cluster migrate --check' : `To migrate: image-cleaner cluster enable -n ${namespace}`,
  ];
  return `${lines.join('\n')}\n`;
}

function section(title: string, findings: readonly MigrationFinding[], kind: MigrationFinding['kind']): string[] {
  const lines = findings
    .filter((finding) => finding.kind === kind)
    .flatMap(({ about, what, next }) => [`  ${about}: ${printable(what)}`, ...(next === null ? [] : [`    ${printable(next)}`])]);
  return lines.length === 0 ? [] : [title, ...lines];
}
