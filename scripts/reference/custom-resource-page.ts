import { API_GROUP, RESOURCE_VERSIONS, type CustomResource } from '../../src/api/custom-resource.ts';
import { CATEGORY, ownFields } from '../../src/api/crd/make-crd.ts';
import { fieldRows } from './field-rows.ts';
import { fieldTable, markdownTable } from './field-table.ts';

/** The reference page of a kind, in Markdown. `definition`: the file of its CRD. */
export function customResourcePage(resource: CustomResource, definition: string): string {
  const { kind, plural, singular, shortNames, description, columns, conditions } = resource;
  const [current, ...older] = RESOURCE_VERSIONS.map(({ name }) => `\`${API_GROUP}/${name}\``);
  return `# ${kind}

${description}

${markdownTable(
  ['', ''],
  [
    ['versions', `${current ?? ''}; ${older.join(', ')} (deprecated) has the same fields`],
    ['scope', 'cluster'],
    ['names for kubectl', [plural, singular, ...shortNames, `${CATEGORY} (the category, with the other kinds)`].join(', ')],
    ['definition', `[${definition}](../../${definition})`],
  ],
)}

## Fields

${fieldTable(fieldRows(ownFields(resource)))}

The status is a subresource: who changes the object does not change its status, and the other way round. All of its fields may be absent.

## Conditions

${markdownTable(
  ['type', 'polarity', 'meaning'],
  Object.entries(conditions).map(([type, { polarity, meaning }]) => [`\`${type}\``, polarity, meaning]),
)}

A condition is \`normal-true\` when True is as it should be, \`abnormal-true\` when True asks for attention.

## Columns of kubectl get

${markdownTable(
  ['column', 'field', 'meaning'],
  columns.map(({ name, jsonPath, description: meaning, wide = false }) => [
    name.toUpperCase(),
    `\`${jsonPath}\``,
    `${meaning}${wide ? ' With `-o wide`.' : ''}`,
  ]),
)}
`;
}
