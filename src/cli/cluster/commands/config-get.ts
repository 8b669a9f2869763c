import { parseConfigurationKey, readKey } from '../../../cluster/configuration-keys.ts';
import { requireConfiguration } from '../../../cluster/configuration-store.ts';
import { parseYaml } from '../../../platform/parse-yaml.ts';
import type { CliContext } from '../../context.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { writeDocument } from '../../output/write-document.ts';
import type { ClusterOutputOptions } from '../cluster-options.ts';
import { withSite } from '../connect-site.ts';

/** `image-cleaner cluster config get`: the stored text as it is, or the value of a key. */
export async function configGet(context: CliContext, options: ClusterOutputOptions, key: string | undefined): Promise<ExitCode> {
  const path = key === undefined ? null : parseConfigurationKey(key);
  const { text } = await withSite(context, options, requireConfiguration);
  if (path === null) {
    const parsed = parseYaml(text);
    const document = parsed.ok ? (parsed.value as Readonly<Record<string, unknown>>) : { unreadable: parsed.message, text };
    await writeDocument(context.stdout, options.output, document, () => text);
    return EXIT.done;
  }
  const value = readKey(text, path);
  if (value === undefined && options.output === 'table') context.stderr.write(`${String(key)} is not set: its default holds.\n`);
  await writeDocument(context.stdout, options.output, { [String(key)]: value ?? null }, () => formatValue(value));
  return EXIT.done;
}

function formatValue(value: unknown): string {
  if (value === undefined) return '';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.endsWith('\n') ? text : `${text}\n`;
}
