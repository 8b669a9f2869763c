import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import packageJson from '../package.json' with { type: 'json' };
import { makeDefinitions } from '../src/installation/make-definitions.ts';
import { makeManifest } from '../src/installation/make-manifest.ts';
import { defaultConfiguration } from '../src/installation/default-configuration.ts';
import { permissionsPage } from './reference/permissions-page.ts';

/** Makes deploy/manifest/image-cleaner.yaml, all that a cluster needs, and docs/reference/permissions.md. */
const MANIFEST = 'deploy/manifest/image-cleaner.yaml';
const { version } = packageJson;
const root = fileURLToPath(new URL('..', import.meta.url));

const objects = [
  ...makeDefinitions(),
  ...makeManifest({
    // As Eraser's manifest has it.
    namespace: 'eraser-system',
    image: `image-cleaner:${version}`,
    scannerImage: `image-cleaner-scanner:${version}`,
    configuration: defaultConfiguration(version),
  }),
];
const documents = objects.map((object) => stringify(object, { aliasDuplicateObjects: false, lineWidth: 140 }));
write(MANIFEST, `# Made from src/api/ and src/installation/ by npm run generate.\n${documents.join('---\n')}`);
write('docs/reference/permissions.md', permissionsPage(MANIFEST));

function write(path: string, content: string): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}
