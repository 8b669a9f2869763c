import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { makeCrd } from '../src/api/crd/make-crd.ts';
import { API_GROUP } from '../src/api/custom-resource.ts';
import { IMAGE_JOB } from '../src/api/image-job.ts';
import { IMAGE_LIST } from '../src/api/image-list.ts';
import { coordinatorOpenApi } from './reference/coordinator-openapi.ts';
import { customResourcePage } from './reference/custom-resource-page.ts';
import { eraserConfigPage } from './reference/eraser-config-page.ts';

/** Makes deploy/crds/ and docs/reference/ from the schemas of src/api/. */
for (const resource of [IMAGE_LIST, IMAGE_JOB]) {
  const definition = `deploy/crds/${API_GROUP}_${resource.plural}.yaml`;
  // The two versions are written out, since kubectl would, and readers look for theirs.
  const yaml = stringify(makeCrd(resource), { aliasDuplicateObjects: false, lineWidth: 140 });
  write(definition, `# Made from src/api/ by npm run generate.\n${yaml}`);
  write(`docs/reference/${resource.singular}.md`, customResourcePage(resource, definition));
}
write('docs/reference/eraserconfig.md', eraserConfigPage());
write('docs/reference/coordinator-api.openapi.json', `${JSON.stringify(coordinatorOpenApi(), null, 2)}\n`);

function write(path: string, content: string): void {
  const file = join(fileURLToPath(new URL('..', import.meta.url)), path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}
