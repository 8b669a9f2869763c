import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { makeRbac } from '../deploy/rbac/make-rbac.ts';
import { permissionsPage } from './reference/permissions-page.ts';

/** Makes deploy/manifest/rbac.yaml and docs/reference/permissions.md from deploy/rbac/. */
const MANIFEST = 'deploy/manifest/rbac.yaml';
/** As Eraser's manifest has it. */
const NAMESPACE = 'eraser-system';

const documents = makeRbac(NAMESPACE).map((object) => stringify(object, { lineWidth: 140 }));
write(MANIFEST, `# Made from deploy/rbac/ by npm run generate.\n${documents.join('---\n')}`);
write('docs/reference/permissions.md', permissionsPage(MANIFEST));

function write(path: string, content: string): void {
  const file = join(fileURLToPath(new URL('..', import.meta.url)), path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}
