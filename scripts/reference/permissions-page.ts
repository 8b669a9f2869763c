import { MANAGER_PERMISSIONS, type Permission, SERVICE_ACCOUNTS, type Scope } from '../../src/installation/permissions.ts';
import { markdownTable } from './field-table.ts';

const PLACES: Readonly<Record<Scope, string>> = {
  cluster: 'the whole cluster',
  'own-namespace': 'its own namespace',
  'default-namespace': 'the namespace `default`',
};

function subjectOf(permission: Permission): string {
  if ('path' in permission) return `\`${permission.path}\``;
  const { apiGroup, resource, resourceNames = [] } = permission;
  const names = resourceNames.length === 0 ? '' : ` (only ${resourceNames.map((name) => `\`${name}\``).join(', ')})`;
  return `\`${apiGroup === '' ? resource : `${resource}.${apiGroup}`}\`${names}`;
}

/** The reference page of what the service accounts may do, in Markdown. `manifest`: the file that grants it. */
export function permissionsPage(manifest: string): string {
  const rows = MANAGER_PERMISSIONS.flatMap((permission) =>
    Object.entries(permission.verbs).map(([verb, reason]) => [subjectOf(permission), PLACES[permission.scope], `\`${verb}\``, reason]),
  );
  return `# Permissions

What the service accounts of Image Cleaner may do through the Kubernetes API, and why. [${manifest}](../../${manifest}) grants this and nothing else.

## \`${SERVICE_ACCOUNTS.manager}\`: the manager

${markdownTable(['resource', 'where', 'verb', 'why'], rows)}

## \`${SERVICE_ACCOUNTS.workers}\`: worker pods

Nothing: no token for the API server is mounted into them.
`;
}
