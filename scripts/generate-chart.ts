import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import packageJson from '../package.json' with { type: 'json' };
import { chartReadme } from './chart/chart-readme.ts';
import { chartSchema, defaultValues, valueGroups, valuesFile } from './chart/chart-schema.ts';
import { definitionTemplates, staticTemplates } from './chart/static-templates.ts';
import { parse, stringify } from 'yaml';
import { defaultConfiguration } from '../src/installation/default-configuration.ts';

/**
 * Makes of deploy/chart/image-cleaner/ what follows from src/ and from the values' schema: what depends on values in more than names is
 * written by hand beside it, and held to be the same as the manifest by a test.
 */
const CHART = 'deploy/chart/image-cleaner';
const MADE = 'Made by npm run generate.';
const { version, description } = packageJson;

write(
  'Chart.yaml',
  `# ${MADE}\n${stringify({ apiVersion: 'v2', name: 'image-cleaner', description, type: 'application', version, appVersion: version })}`,
);
write('values.yaml', `# ${MADE} README.md has all values in a table.\n${valuesFile(defaultConfiguration(version))}`);
write('values.schema.json', `${JSON.stringify(chartSchema(), null, 2)}\n`);
write('README.md', chartReadme());
write('templates/_defaults.tpl', defaultTemplates());
for (const [file, text] of Object.entries({ ...definitionTemplates(), ...staticTemplates() })) {
  write(`templates/${file}`, `# ${MADE}\n${text}`);
}

function defaultTemplates(): string {
  const parts = {
    defaults: defaultValues(),
    groups: valueGroups(),
    defaultConfiguration: parse(defaultConfiguration(version)) as unknown,
  };
  const templates = Object.entries(parts).map(
    ([name, value]) => `{{- define "image-cleaner.${name}" -}}\n${JSON.stringify(value, null, 2)}\n{{- end -}}\n`,
  );
  return `{{/* ${MADE} As JSON, for the templates: an upgrade with --reuse-values knows nothing of values.yaml. */}}\n${templates.join('\n')}`;
}

function write(path: string, content: string): void {
  const file = join(fileURLToPath(new URL('..', import.meta.url)), CHART, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}
